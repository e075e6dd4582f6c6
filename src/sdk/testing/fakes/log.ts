// The upstream of the fake log source: partitions of committed transactions, and what it has been told to forget. It
// outlives every reader, as a database does.

import { Notifier } from '../../../util/signal.ts';
import {
  CdcError,
  formatTableId,
  type PartitionPositions,
  type Position,
  positionOfNumber,
  type Row,
  type TableSchema,
} from '../../index.ts';
import { type Change, ITEMS } from '../sample-tables.ts';
import { keyOfRow, type Rows, rowKey } from './rows.ts';

/** A change of a table of the log; `items` unless it names another. */
export type LogChange = Change & { readonly table?: TableSchema };

/** One entry of the log. `input`: text that no reader can decode. */
export interface LogRecord {
  readonly op: 'c' | 'u' | 'd' | 't' | 's';
  readonly table: TableSchema;
  readonly before: Row | null;
  readonly after: Row | null;
  readonly incomplete: boolean;
  readonly position: Position;
  readonly tx: number;
  readonly order: number;
  readonly collectionOrder: number;
  readonly last: boolean;
  readonly commitTsMs: number;
  readonly input: string | null;
}

export interface LogTransaction {
  readonly end: Position;
  readonly records: readonly LogRecord[];
}

export interface LogPartition {
  readonly name: string;
  readonly transactions: LogTransaction[];
  /** No more transactions will come: its reader ends it. */
  closed: boolean;
  /** `held`: this reader may have it; `asked`: it shall give it back; `away`: another process has it. */
  assignment: 'held' | 'asked' | 'away';
}

/** Told about effects as they happen, for oracles. */
export interface LogObserver {
  committed?(partition: string, record: LogRecord): void;
  /** Called before upstream forgets. */
  acknowledging?(upTo: PartitionPositions): void;
  /** A snapshotting reader was here for the first time: what lies before is in its snapshot only. */
  slotCreated?(partition: string, at: Position): void;
}

export interface FakeLogOptions {
  readonly partitions?: readonly string[];
  /** A table that exists from the start. */
  readonly tables?: readonly TableSchema[];
  readonly observer?: LogObserver;
  /** Milliseconds since the epoch at a commit; counts seconds unless given. */
  readonly now?: () => number;
}

const POSITIONS_PER_TRANSACTION = 1000;
const FIRST_COMMIT_MS = Date.UTC(2024, 0, 1);

export class FakeLog {
  readonly partitions = new Map<string, LogPartition>();
  readonly rows: Rows = new Map();
  /** The newest version of each table. */
  readonly tables = new Map<string, TableSchema>();
  /** The session that may read and acknowledge: the latest that was opened. */
  session: object | null = null;
  /** A reader has been here before: what was acknowledged is gone. */
  used = false;
  /** `true`: the server does not answer. */
  down = false;
  readonly #acknowledged = new Map<string, Position>();
  /** Where the stream beside a snapshot began, until something is acknowledged. */
  readonly #slots = new Map<string, Position>();
  readonly #forgotten = new Map<string, Position>();
  readonly #observer: LogObserver;
  readonly #now: (() => number) | null;
  readonly #changed = new Notifier();
  #runs = 0;
  #commits = 0;

  constructor(options: FakeLogOptions = {}) {
    this.#observer = options.observer ?? {};
    this.#now = options.now ?? null;
    for (const table of options.tables ?? [ITEMS]) this.tables.set(formatTableId(table.id), table);
    for (const name of options.partitions ?? ['main']) this.openPartition(name);
  }

  // -- what applications do --

  /** One committed transaction. Without changes it only moves the log on. */
  commit(changes: readonly LogChange[], partition = 'main'): void {
    const perTable = new Map<string, number>();
    this.#append(partition, changes.length, (i) => {
      const change = changes[i] as LogChange,
        name = formatTableId((change.table ?? ITEMS).id);
      const table = this.tables.get(name) ?? change.table ?? ITEMS;
      perTable.set(name, (perTable.get(name) ?? 0) + 1);
      return { ...this.#apply(change, table), table, input: null, collectionOrder: perTable.get(name) ?? 1 };
    });
  }

  /** Something that no reader can decode. */
  garbage(input: string, partition = 'main'): void {
    this.#append(partition, 1, () => ({ op: 'c', table: ITEMS, before: null, after: null, incomplete: false, input, collectionOrder: 1 }));
  }

  /** Changes a table's schema; what is committed from here on has it. */
  alter(table: TableSchema, partition = 'main'): void {
    const name = formatTableId(table.id),
      version = (this.tables.get(name)?.version ?? 0) + 1;
    this.tables.set(name, { ...table, version });
    this.#append(partition, 1, () => ({
      op: 's',
      table: { ...table, version },
      before: null,
      after: null,
      incomplete: false,
      input: null,
      collectionOrder: 1,
    }));
  }

  openPartition(name: string): void {
    this.partitions.set(name, { name, transactions: [], closed: false, assignment: 'held' });
    this.#changed.notify();
  }
  closePartition(name: string): void {
    this.#partition(name).closed = true;
    this.#changed.notify();
  }
  /** Asks the reader to give the partition to another process. */
  revokePartition(name: string): void {
    const partition = this.#partition(name);
    if (partition.assignment === 'held') partition.assignment = 'asked';
    this.#changed.notify();
  }
  returnPartition(name: string): void {
    this.#partition(name).assignment = 'held';
    this.#changed.notify();
  }

  /** History is lost up to the end of the log: a purge, a dropped slot. */
  loseHistory(): void {
    for (const [name, position] of Object.entries(this.head())) this.#forgotten.set(name, position);
  }

  /** Breaks the reader's connection. */
  cut(): void {
    this.session = null;
    this.#changed.notify();
  }

  // -- what readers see --

  open(session: object): void {
    this.session = session;
    this.used = true;
    this.#changed.notify();
  }

  /** The end of what is committed, per partition that has any. */
  head(): { [partition: string]: Position } {
    const head: { [partition: string]: Position } = {};
    for (const { name, transactions } of this.partitions.values()) {
      const last = transactions.at(-1);
      if (last !== undefined) head[name] = last.end;
    }
    return head;
  }

  /** Upstream forgets; never goes back. */
  acknowledge(upTo: PartitionPositions): void {
    this.#observer.acknowledging?.(upTo);
    for (const [partition, position] of Object.entries(upTo)) {
      const known = this.#acknowledged.get(partition);
      if (known === undefined || known < position) this.#acknowledged.set(partition, position);
    }
  }
  /** Of partitions that are still there. */
  acknowledged(): { [partition: string]: Position } {
    return Object.fromEntries([...this.#acknowledged].filter(([name]) => this.partitions.has(name)));
  }

  /** Where the stream beside a snapshot begins: where a reader first asked for it, later what is acknowledged. */
  slotOf(partition: string): Position {
    const known = this.#acknowledged.get(partition) ?? this.#slots.get(partition);
    if (known !== undefined) return known;
    const at = this.head()[partition] ?? positionOfNumber(0);
    this.#slots.set(partition, at);
    this.#observer.slotCreated?.(partition, at);
    return at;
  }

  /** Throws when `position` lies in forgotten history; `null` is the beginning. */
  assertHeld(partition: string, position: Position | null): void {
    const gone = this.#forgotten.get(partition);
    if (gone === undefined || (position !== null && position >= gone)) return;
    throw new CdcError('SOURCE_POSITION_GONE', `partition "${partition}" begins at ${gone}, not at ${position ?? 'its beginning'}`, {
      fix: 'Take a new snapshot.',
    });
  }

  /** The rows of a table when everything up to these places had happened, in order of key. */
  rowsAt(table: TableSchema, cursors: ReadonlyMap<string, Position | null>): Row[] {
    const rows = new Map<string, Row>(),
      name = formatTableId(table.id),
      key = table.key[0] ?? '';
    for (const [partition, position] of cursors) {
      const records = this.#partition(partition).transactions.flatMap((tx) => tx.records);
      for (const r of records.filter((r) => r.input === null && r.position <= (position ?? '') && formatTableId(r.table.id) === name)) {
        if (r.op === 't') rows.clear();
        if (r.before !== null) rows.delete(rowKey(name, keyOfRow(table, r.before)));
        if (r.after !== null) rows.set(rowKey(name, keyOfRow(table, r.after)), r.after);
      }
    }
    return [...rows.values()].sort((a, b) => Number(a[key]) - Number(b[key]));
  }

  nextRun(): string {
    return `run${++this.#runs}`;
  }

  /** Resolves when something has happened, or on abort. */
  changed(signal: AbortSignal): Promise<void> {
    return this.#changed.wait(signal);
  }

  #partition(name: string): LogPartition {
    const partition = this.partitions.get(name);
    if (partition === undefined) throw new Error(`the fake log has no partition "${name}"`);
    return partition;
  }

  #append(
    partitionName: string,
    count: number,
    make: (i: number) => Omit<LogRecord, 'position' | 'tx' | 'order' | 'last' | 'commitTsMs'>,
  ): void {
    const partition = this.#partition(partitionName),
      tx = partition.transactions.length + 1;
    const commitTsMs = this.#now?.() ?? FIRST_COMMIT_MS + ++this.#commits * 1000;
    const records: LogRecord[] = [];
    for (let i = 0; i < count; i++) {
      const position = positionOfNumber(tx * POSITIONS_PER_TRANSACTION + i + 1);
      records.push({ ...make(i), position, tx, order: i + 1, last: i === count - 1, commitTsMs });
    }
    partition.transactions.push({ end: positionOfNumber(tx * POSITIONS_PER_TRANSACTION + POSITIONS_PER_TRANSACTION - 1), records });
    for (const record of records) this.#observer.committed?.(partitionName, record);
    this.#changed.notify();
  }

  #apply(change: LogChange, table: TableSchema): Pick<LogRecord, 'op' | 'before' | 'after' | 'incomplete'> {
    const name = formatTableId(table.id);
    if (change.op === 'truncate') {
      for (const k of [...this.rows.keys()]) if (k.startsWith(`${name}/`)) this.rows.delete(k);
      return { op: 't', before: null, after: null, incomplete: false };
    }
    const at = rowKey(name, { id: change.id }),
      before = this.rows.get(at) ?? null;
    if (change.op === 'insert') {
      if (before !== null) throw new Error(`${at} is there already`);
      const after = { id: change.id, name: change.name, note: change.note ?? null };
      this.rows.set(at, after);
      return { op: 'c', before: null, after, incomplete: false };
    }
    if (before === null) throw new Error(`${at} is not there`);
    this.rows.delete(at);
    if (change.op === 'delete') return { op: 'd', before, after: null, incomplete: false };
    const after = { ...before, id: change.to ?? change.id, name: change.name };
    this.rows.set(rowKey(name, { id: after.id }), after);
    return { op: 'u', before, after, incomplete: change.partial ?? false };
  }
}
