// What a source's author writes for `describeSource`: how to change the upstream, and how to break it. Everything optional
// switches on cases; a case that cannot run says why.

import { CdcError, type ChangeEvent, type Row, type Source, type SourceCapabilities, type SourceDescriptor } from '../index.ts';
import { memoryStore } from './memory-store.ts';
import { positionsAfter, progressAfter, Reader, type ReadFrom, type Reading, testContext, within } from './reading.ts';
import { type Change, insert } from './sample-tables.ts';

/**
 * An upstream of its own for one case, with an empty table (file, topic) `items`: `id` number key, `name` text, `note` text or null.
 *
 * @example
 * const start = async (): Promise<SourceHarness> => {
 *   const db = await createDatabase();
 *   return { config: { url: db.url, tables: ['items'] }, ops: ['insert', 'update', 'delete'], commit: (changes) => db.apply(changes), close: () => db.drop() };
 * };
 * describeSource(descriptor, start);
 */
export interface SourceHarness {
  /** The source's complete configuration: defaults filled in, units resolved. */
  readonly config: unknown;
  /** What can be captured of this upstream. */
  readonly ops: readonly Change['op'][];
  /** Applies the changes to `items` in one transaction, where there are transactions. */
  commit(changes: readonly Change[]): Promise<void>;
  close(): Promise<void>;
  /** A polling source: it cannot tell inserts from updates. */
  readonly insertsLookLikeUpdates?: boolean;
  /** Intermediate versions of a row may be missed (polling). */
  readonly missesIntermediate?: boolean;
  /** Configurations with one thing wrong, for `check`. */
  readonly unreachable?: unknown;
  readonly forbidden?: unknown;
  readonly misconfigured?: unknown;
  /** Breaks the connection of the source that is reading. */
  cut?(): Promise<void>;
  /** Upstream forgets all history up to now. */
  loseHistory?(): Promise<void>;
  /** Adds a nullable text column `extra` to `items`. */
  addColumn?(): Promise<void>;
  /** Upstream moves on without a captured change. */
  advance?(): Promise<void>;
  /** Adds a row whose other columns hold one value of every type; the same values for each id. */
  insertTyped?(id: number): Promise<void>;
  /** What those columns must decode to. */
  readonly typed?: Row;
  /** Adds an input that cannot be decoded. */
  garbage?(): Promise<void>;
}

/** One running case: its harness, and the sources it has opened. */
export class SourceTest {
  readonly harness: SourceHarness;
  readonly capabilities: SourceCapabilities;
  readonly #descriptor: SourceDescriptor;
  /** What one source remembers from session to session. */
  readonly #store = memoryStore();
  #open: Source | null = null;
  #reader: Reader | null = null;

  constructor(descriptor: SourceDescriptor, harness: SourceHarness) {
    this.#descriptor = descriptor;
    this.harness = harness;
    this.capabilities = descriptor.capabilities(harness.config as never);
  }

  /** A new session; the one before is closed first, since a source may be exclusive. */
  async open(config: unknown = this.harness.config): Promise<Source> {
    await this.closeSource();
    this.#open = await this.#descriptor.create(config as never, testContext(this.#descriptor.type, this.#store));
    return this.#open;
  }

  reader(source: Source, from: ReadFrom = {}): Reader {
    this.#reader = new Reader(source, from);
    return this.#reader;
  }

  async closeSource(): Promise<void> {
    const reader = this.#reader,
      source = this.#open;
    this.#reader = this.#open = null;
    // A reader that failed has said so to its case.
    await reader?.stop().catch((error: unknown) => {
      if (!(error instanceof CdcError)) throw error;
    });
    if (source !== null) await within(source.close(), 'close() did not return');
  }

  async close(): Promise<void> {
    try {
      await this.closeSource();
    } finally {
      await this.harness.close();
    }
  }

  /** A source whose snapshot is done and that waits in the stream, with row 1 delivered; `from` resumes right behind that. */
  async streaming(from: ReadFrom = {}): Promise<{ source: Source; reader: Reader; from: ReadFrom }> {
    await this.harness.commit([insert(1, 'first')]);
    const source = await this.open(),
      reader = this.reader(source, from);
    const isSettled = (r: Reading): boolean => r.events.length > 0 && progressAfter(r.batches).every((s) => s.state !== 'running');
    const { batches } = await reader.until(isSettled, 'row 1');
    return { source, reader, from: { ...from, partitions: positionsAfter(batches), snapshots: progressAfter(batches) } };
  }

  /** Reads `count` events from a place in a new session. */
  async read(count: number, from: ReadFrom = {}): Promise<Reading> {
    const reader = this.reader(await this.open(), from);
    return reader.events(count);
  }
}

export const idOf = (e: ChangeEvent): number => Number((e.after ?? e.before ?? e.key)?.['id']);
/** `partition position`: what makes an event unique. */
export const placeOf = (e: ChangeEvent): string => `${e.partition} ${e.position}`;

/** What a keyed table holds after these events: id → name. */
export function fold(events: readonly ChangeEvent[], into = new Map<number, unknown>()): Map<number, unknown> {
  for (const e of events) {
    if (e.op === 't') into.clear();
    if (e.op === 't' || e.op === 'm' || e.op === 's') continue;
    if (e.oldKey !== null) into.delete(Number(e.oldKey['id']));
    if (e.op === 'd') into.delete(idOf(e));
    else into.set(idOf(e), e.get('after', 'name'));
  }
  return into;
}

/** What the upstream's table holds after these changes: id → name. */
export function truthOf(changes: readonly Change[], into = new Map<number, unknown>()): Map<number, unknown> {
  for (const c of changes) {
    if (c.op === 'truncate') {
      into.clear();
      continue;
    }
    if (c.op !== 'insert') into.delete(c.id);
    if (c.op === 'insert') into.set(c.id, c.name);
    if (c.op === 'update') into.set(c.to ?? c.id, c.name);
  }
  return into;
}

export const sorted = (rows: ReadonlyMap<number, unknown>): [number, unknown][] => [...rows].sort(([a], [b]) => a - b);
