// A queue and the source that reads it: a receipt belongs to one session, and what a session did not acknowledge comes back
// when it ends. The shortest complete example of `ordering: 'queue'`.

import { Notifier } from '../../../util/signal.ts';
import {
  CdcError,
  type ChangeBatch,
  ChangeEvent,
  type Finding,
  type Lag,
  type PartitionPositions,
  type Position,
  positionOfNumber,
  type Random,
  type ReadContext,
  type Source,
  type SourceDescription,
  sortablePositions,
  type TableId,
  type TableSchema,
} from '../../index.ts';
import { ITEMS } from '../sample-tables.ts';
import { atOnce, type Step } from './step.ts';

export interface QueueMessage {
  readonly id: number;
  readonly text: string;
  readonly note?: string | null;
}

export interface QueueObserver {
  /** Called before upstream forgets. */
  acknowledging?(message: QueueMessage): void;
}

/** The queue: it outlives its readers. */
export class FakeQueue {
  readonly ready: QueueMessage[] = [];
  down = false;
  readonly #pending = new Map<object, Map<Position, QueueMessage>>();
  readonly #observer: QueueObserver;
  readonly #changed = new Notifier();
  #sessions = 0;

  constructor(observer: QueueObserver = {}) {
    this.#observer = observer;
  }

  /** Messages not acknowledged yet. */
  get size(): number {
    return [...this.#pending.values()].reduce((n, p) => n + p.size, this.ready.length);
  }

  publish(message: QueueMessage): void {
    this.ready.push(message);
    this.#changed.notify();
  }
  openSession(session: object): number {
    this.#pending.set(session, new Map());
    return ++this.#sessions;
  }
  hasSession(session: object): boolean {
    return this.#pending.has(session);
  }

  /** What the session holds is delivered again, to whoever reads next. */
  closeSession(session: object): void {
    this.ready.push(...(this.#pending.get(session)?.values() ?? []));
    this.#pending.delete(session);
    this.#changed.notify();
  }

  /** The server ends all sessions: a restart, a lost network. */
  dropSessions(): void {
    for (const session of [...this.#pending.keys()]) this.closeSession(session);
  }

  receive(session: object, index: number, receipt: Position): QueueMessage {
    const [message] = this.ready.splice(index, 1) as [QueueMessage];
    this.#pending.get(session)?.set(receipt, message);
    return message;
  }

  /** Everything the session received up to this receipt. */
  acknowledge(session: object, upTo: Position): void {
    const pending = this.#pending.get(session);
    for (const [receipt, message] of pending ?? []) {
      if (receipt > upTo) continue;
      this.#observer.acknowledging?.(message);
      pending?.delete(receipt);
    }
  }

  changed(signal: AbortSignal): Promise<void> {
    return this.#changed.wait(signal);
  }
}

export const QUEUE_PARTITION = 'queue';
/** A receipt is `session-number`: one of an older session is recognised and never acknowledged. */
const receiptOf = (session: number, n: number): Position => `${positionOfNumber(session)}-${positionOfNumber(n)}` as Position;
const sessionOf = (receipt: Position): number => Number(receipt.split('-')[0]);

export class FakeQueueSource implements Source {
  readonly ordering = 'queue';
  readonly exclusive = false;
  readonly positions = sortablePositions('receipt');
  readonly #queue: FakeQueue;
  readonly #name: string;
  readonly #step: Step;
  readonly #random: Random;
  readonly #table: TableSchema;
  #session = 0;
  #received = 0;

  constructor(
    queue: FakeQueue,
    options: { readonly name?: string; readonly step?: Step; readonly random?: Random; readonly table?: TableSchema } = {},
  ) {
    this.#queue = queue;
    this.#name = options.name ?? 'queue';
    this.#step = options.step ?? atOnce;
    this.#random = options.random ?? ((): number => 0);
    this.#table = options.table ?? ITEMS;
  }

  describe(): SourceDescription {
    return { connector: 'fake_queue', database: null };
  }

  async *check(): AsyncIterable<Finding> {
    if (this.#queue.down)
      yield { level: 'error', check: 'reachable', message: 'the queue does not answer', fix: 'Start it.', code: 'SOURCE_UNREACHABLE' };
    else yield { level: 'ok', check: 'reachable', message: 'the queue answers' };
  }

  async *read(ctx: ReadContext, signal: AbortSignal): AsyncIterable<ChangeBatch> {
    await this.#step('open the queue');
    this.#assertUp();
    this.#queue.closeSession(this);
    this.#session = this.#queue.openSession(this);
    await ctx.assign(QUEUE_PARTITION);
    for (;;) {
      if (signal.aborted) return;
      this.#assertMine();
      if (this.#queue.ready.length > 0) {
        await this.#step('receive');
        if (signal.aborted) return;
        this.#assertMine();
        const batch = this.#receive(ctx.maxBatchEvents);
        if (batch !== null) yield batch;
      } else if (ctx.until !== null) return;
      else await this.#queue.changed(signal);
    }
  }

  /** A queue has no end: a one_time run stops when it is empty. */
  async end(): Promise<PartitionPositions> {
    return {};
  }

  async acknowledge(upTo: PartitionPositions): Promise<void> {
    await this.#step('acknowledge a receipt');
    this.#assertUp();
    const receipt = upTo[QUEUE_PARTITION];
    if (receipt !== undefined && sessionOf(receipt) === this.#session) this.#queue.acknowledge(this, receipt);
  }

  async acknowledged(): Promise<PartitionPositions | null> {
    return null;
  }
  async lag(): Promise<Lag> {
    return { events: this.#queue.ready.length, bytes: null };
  }
  async schema(_table: TableId): Promise<TableSchema> {
    return this.#table;
  }
  async close(): Promise<void> {
    this.#queue.closeSession(this);
  }

  #assertUp(): void {
    if (this.#queue.down) throw new CdcError('SOURCE_UNREACHABLE', 'the queue does not answer', { retriable: true, fix: 'Start it.' });
  }
  #assertMine(): void {
    this.#assertUp();
    if (!this.#queue.hasSession(this))
      throw new CdcError('SOURCE_FAILED', 'the session was closed', { retriable: true, fix: 'Wait: it is opened again.' });
  }

  /** Redelivered messages come in any order. */
  #receive(max: number): ChangeBatch | null {
    const events: ChangeEvent[] = [];
    let receipt: Position | null = null;
    while (events.length < max && this.#queue.ready.length > 0) {
      receipt = receiptOf(this.#session, ++this.#received);
      const { id, text, note } = this.#queue.receive(this, Math.floor(this.#random() * this.#queue.ready.length), receipt);
      events.push(
        new ChangeEvent({
          op: 'c',
          table: this.#table,
          source: this.#name,
          partition: QUEUE_PARTITION,
          position: receipt,
          sourceTsMs: 0,
          after: { id, name: text, note: note ?? null },
          headers: { 'message-id': String(id) },
          messageId: String(id),
        }),
      );
    }
    return receipt === null
      ? null
      : { events, source: this.#name, partition: QUEUE_PARTITION, resume: receipt, bytes: events.length * 100 };
  }
}
