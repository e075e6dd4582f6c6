// Which log places belong to, kept in the source's own store: the server, the base of its files' names, when its files were begun. By it
// a failover, RESET MASTER and a restored server are told apart from the log going on.

import type { PluginStore, Position } from '../../sdk/index.ts';
import { diverged } from './errors.ts';
import { FIRST_HISTORY, fileName, parsePlace } from './position.ts';

interface Stored {
  readonly history: number;
  /** Of MySQL its UUID, of MariaDB its number. */
  readonly server: string;
  readonly base: string;
  /** When the files were begun that were read last: seconds, by the number of the file. */
  readonly begun: { readonly [fileNumber: string]: number };
}

const KEY = 'log';
/** A place to resume from is in one of these, or checked by the server alone. */
const MOST_FILES = 200;

export class LogIdentity {
  readonly #store: PluginStore;
  readonly #where: string;
  #stored: Stored;

  private constructor(store: PluginStore, where: string, stored: Stored) {
    this.#store = store;
    this.#where = where;
    this.#stored = stored;
  }

  static async load(store: PluginStore, where: string): Promise<LogIdentity | null> {
    const bytes = await store.get(KEY);
    return bytes === null ? null : new LogIdentity(store, where, JSON.parse(Buffer.from(bytes).toString()) as Stored);
  }

  static create(store: PluginStore, where: string, server: string, base: string, history = FIRST_HISTORY): LogIdentity {
    return new LogIdentity(store, where, { history, server, base, begun: {} });
  }

  get history(): number {
    return this.#stored.history;
  }

  isOf(server: string, base: string): boolean {
    return this.#stored.server === server && this.#stored.base === base;
  }

  /** A place of an older history: its numbers of files mean nothing here. */
  isContinued(behind: Position): boolean {
    return (parsePlace(behind)?.history ?? this.history) < this.history;
  }

  /** Files are numbered anew from here on. Durable when it resolves. */
  async renew(server: string, base: string): Promise<void> {
    this.#stored = { history: this.#stored.history + 1, server, base, begun: {} };
    await this.save();
  }

  /** The file is read: is it the one that had this number before? `null`: known, and the same. */
  meet(file: { readonly base: string; readonly number: number }, begun: number): Promise<void> | null {
    const known = this.#stored.begun[file.number];
    if (known === begun || begun === 0) return null;
    if (known !== undefined)
      throw diverged(
        this.#where,
        `The file ${fileName(file.base, file.number)} is another one than the one that was read under this name.`,
      );
    const all: Readonly<Record<string, number>> = { ...this.#stored.begun, [file.number]: begun },
      kept = Object.entries(all)
        .sort(([a], [b]) => Number(a) - Number(b))
        .slice(-MOST_FILES);
    this.#stored = { ...this.#stored, begun: Object.fromEntries(kept) };
    return this.save();
  }

  save(): Promise<void> {
    return this.#store.set(KEY, Buffer.from(JSON.stringify(this.#stored)));
  }
}
