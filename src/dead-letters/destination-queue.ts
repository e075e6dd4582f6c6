// The dead letter queue as a destination: letters go there as events of the table `cdc_dead_letters`. Nothing can be read back.

import type { DeadLetter, DeadLetterQueue } from '../engine/api.ts';
import type { EnvelopeConfig } from '../engine/pipeline-config.ts';
import {
  type BatchEnvelope,
  CdcError,
  type Destination,
  type EncodedBatch,
  type LaneBatch,
  type LaneId,
  type PointHoldingDestination,
  type RecordContext,
  type ResumePoint,
  toCdcError,
} from '../sdk/index.ts';
import { LETTERS_SOURCE, letterEvent } from './letter-event.ts';

export interface DestinationQueueOptions {
  readonly pipeline: string;
  /** Whose letters they are; `null`: the pipeline's. */
  readonly lane: string | null;
  readonly name: string;
  readonly holdsPoint: boolean;
  readonly input: 'bytes' | 'rows';
  readonly envelope: EnvelopeConfig;
  readonly version: string;
  now(): number;
  /** Loads the driver: called with the first letter. */
  open(): Promise<Destination>;
}

interface Open {
  readonly destination: Destination;
  readonly point: ResumePoint;
  readonly encoder: Encoder | null;
}

interface Encoder {
  readonly envelope: BatchEnvelope;
  encode(events: LaneBatch['events']): EncodedBatch;
}

/** Nothing is opened before the first letter. */
export function openDestinationDeadLetterQueue(options: DestinationQueueOptions): DeadLetterQueue {
  return new DestinationDeadLetterQueue(options);
}

class DestinationDeadLetterQueue implements DeadLetterQueue {
  readonly #o: DestinationQueueOptions;
  /** One after the other: lanes put at the same time, and calls of a destination never overlap. */
  #turn: Promise<unknown> = Promise.resolve();
  #open: Open | null = null;

  constructor(options: DestinationQueueOptions) {
    this.#o = options;
  }

  put(letters: readonly DeadLetter[]): Promise<void> {
    const once = [...new Map(letters.map((letter) => [letter.id, letter])).values()];
    const result = this.#turn.then(() => this.#write(once));
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async close(): Promise<void> {
    await this.#turn;
    await this.#open?.destination.close();
    this.#open = null;
  }

  async #write(letters: readonly DeadLetter[]): Promise<void> {
    if (letters.length === 0) return;
    let opened: Destination | null = null;
    try {
      if (this.#open === null) {
        opened = await this.#o.open();
        this.#open = await this.#prepare(opened);
      }
      const { destination, point, encoder } = this.#open;
      const events = letters.map(letterEvent);
      const batch: LaneBatch = {
        events,
        skip: new Set(),
        // The point stays where it is: letters have no order in which they could be resumed.
        through: point,
        previous: point,
        worker: 0,
        ...(encoder === null ? {} : { envelope: encoder.envelope }),
        encoded: () => {
          if (encoder === null)
            throw new CdcError('PLUGIN_CONTRACT', `destination "${this.#o.name}" asked for bytes, but declares that it reads rows`);
          return encoder.encode(events);
        },
      };
      // Invariant 3: durable there when it resolves.
      const result = await destination.write(batch, new AbortController().signal);
      if (result.kind !== 'stored') throw result.failed[0]?.error ?? new Error('it refused the letters');
    } catch (cause) {
      if (this.#open === null) await opened?.close().catch(() => undefined);
      throw this.#unavailable(cause);
    }
  }

  /** A destination that keeps points must hold one before it takes a batch. */
  async #prepare(destination: Destination): Promise<Open> {
    const encoder = await this.#encoder();
    const beginning: ResumePoint = { epoch: 0, log: null, sources: {}, snapshots: [] };
    if (!this.#o.holdsPoint) return { destination, encoder, point: beginning };
    const holder = destination as PointHoldingDestination;
    const id: LaneId = { pipeline: this.#o.pipeline, lane: `dead_letters:${this.#o.lane ?? ''}` };
    const found = await holder.committed(id);
    const epoch = (found.kind === 'untracked' ? 0 : found.epoch) + 1;
    // The lease says that we alone run the pipeline; whoever wrote before is fenced.
    await holder.claim(id, epoch);
    const point = { ...beginning, epoch };
    await holder.setPoints(id, epoch, [point]);
    return { destination, encoder, point };
  }

  async #encoder(): Promise<Encoder | null> {
    if (this.#o.input !== 'bytes') return null;
    const { createEnvelope } = await import('../envelope/create.ts');
    const { pipeline, version, envelope } = this.#o;
    const sources = { [LETTERS_SOURCE]: { connector: 'cdc-run', database: null, fields: () => ({}) } };
    const context: RecordContext = { pipeline, version, sources, now: () => this.#o.now() };
    const created = createEnvelope(envelope, context);
    return { envelope: { ...envelope, context }, encode: (events) => created.encode(events) };
  }

  #unavailable(cause: unknown): CdcError {
    const error = toCdcError(cause, 'DESTINATION_FAILED');
    return new CdcError('DLQ_UNAVAILABLE', `The dead letter queue "${this.#o.name}" cannot be written: ${error.code}: ${error.message}`, {
      where: 'error_handling.dead_letter_queue.destination',
      fix: error.fix ?? 'Look at the destination of the dead letters.',
      // A lost reply included: written twice a letter is the same row, or a second record with the same id.
      retriable: error.retriable || error.code === 'DESTINATION_OUTCOME_UNKNOWN',
      cause,
    });
  }
}
