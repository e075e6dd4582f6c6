// XA transactions that are prepared: the log has their rows with XA PREPARE, and says later, maybe much later, whether they were committed.
// Until then nobody may see them: a read beside the stream does not, and XA ROLLBACK takes them back. So their events wait here, in the
// source's own store, and go out with XA COMMIT, at its place.
//
// | step | a crash behind it |
// |---|---|
// | kept, at XA PREPARE | it is read and kept again, or the place is behind it |
// | handed over at XA COMMIT | the rows are still kept: XA COMMIT is read again |
// | the place of XA COMMIT is acknowledged | it is not read again; the rows are removed |

import type { PluginStore, Position } from '../../sdk/index.ts';
import { sortable } from './position.ts';

const KEY = 'prepared';
/** Of all of them, as they are in the log. They are written whole with each change of what is kept. */
const MAX_BYTES = 16 << 20;

interface Kept {
  /** FORMAT_DESCRIPTION first, then TABLE_MAP and rows. */
  readonly events: readonly Buffer[];
  /** Where it was decided; `null`: not yet. */
  readonly decidedAt: string | null;
}

type Stored = { readonly [xid: string]: { readonly events: readonly string[]; readonly decidedAt: string | null } };

const bytesOf = ({ events }: Kept): number => events.reduce((sum, e) => sum + e.length, 0);

export class PreparedTransactions {
  readonly #store: PluginStore;
  readonly #kept: Map<string, Kept>;

  private constructor(store: PluginStore, kept: Map<string, Kept>) {
    this.#store = store;
    this.#kept = kept;
  }

  static async load(store: PluginStore): Promise<PreparedTransactions> {
    const bytes = await store.get(KEY),
      stored = bytes === null ? {} : (JSON.parse(Buffer.from(bytes).toString()) as Stored);
    const kept = Object.entries(stored).map(([xid, { events, decidedAt }]): [string, Kept] => [
      xid,
      { events: events.map((e) => Buffer.from(e, 'base64')), decidedAt },
    ]);
    return new PreparedTransactions(store, new Map(kept));
  }

  /** Durable once it resolves. `false`: there is no room for it, and it is not kept. */
  async keep(xid: string, events: readonly Buffer[]): Promise<boolean> {
    this.#kept.delete(xid);
    const entry = { events, decidedAt: null };
    const isTooMuch = [entry, ...this.#kept.values()].reduce((sum, kept) => sum + bytesOf(kept), 0) > MAX_BYTES;
    if (!isTooMuch) this.#kept.set(xid, entry);
    await this.#save();
    return !isTooMuch;
  }

  /** `null`: it was prepared before reading began, or there was no room. */
  eventsOf(xid: string): readonly Buffer[] | null {
    return this.#kept.get(xid)?.events ?? null;
  }

  /** Durable once it resolves. */
  async decide(xid: string, at: Position): Promise<void> {
    const kept = this.#kept.get(xid);
    if (kept === undefined) return;
    this.#kept.set(xid, { ...kept, decidedAt: sortable(at) });
    await this.#save();
  }

  /** Everything up to here is at destinations, and is not read again. */
  async acknowledged(upTo: Position): Promise<void> {
    const over = [...this.#kept].filter(([, { decidedAt }]) => decidedAt !== null && decidedAt <= sortable(upTo));
    if (over.length === 0) return;
    for (const [xid] of over) this.#kept.delete(xid);
    await this.#save();
  }

  #save(): Promise<void> {
    const stored: Stored = Object.fromEntries(
      [...this.#kept].map(([xid, { events, decidedAt }]) => [xid, { events: events.map((e) => e.toString('base64')), decidedAt }]),
    );
    return this.#store.set(KEY, Buffer.from(JSON.stringify(stored)));
  }
}

/** `XA COMMIT X'61',X'',1` → `X'61',X'',1`, as XA PREPARE has it; `null` when it stands there in another way. */
export function xidOf(sql: string): string | null {
  const [, global, branch, format] = /\bX'([0-9a-f]*)'\s*,\s*X'([0-9a-f]*)'\s*,\s*(-?\d+)/i.exec(sql) ?? [];
  return global === undefined || branch === undefined ? null : `X'${global.toLowerCase()}',X'${branch.toLowerCase()}',${format}`;
}
