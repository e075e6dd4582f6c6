// A Kafka source that is read as the engine would: places are kept, and what was handed over is acknowledged when the test says so.

import {
  type ChangeBatch,
  type ChangeEvent,
  type PluginStore,
  type Position,
  type ReadContext,
  type Source,
  type SourceDescriptor,
  silentLogger,
} from '../../src/sdk/index.ts';
import { memoryStore } from '../../src/sdk/testing/index.ts';
import { testContext } from '../../src/sdk/testing/reading.ts';
import type { KafkaSourceConfig } from '../../src/sources/kafka/config.ts';
import { descriptor } from '../../src/sources/kafka/index.ts';

export interface KafkaReadingOptions {
  readonly store?: PluginStore;
  readonly positions?: Readonly<Record<string, Position>>;
  readonly acknowledges?: boolean;
  /** Ends at what is there at the start. */
  readonly isOneTime?: boolean;
  /** Until this is settled the engine has no room for more than one batch. */
  readonly hold?: Promise<void>;
}

export class KafkaReading implements AsyncDisposable {
  readonly source: Source;
  readonly events: ChangeEvent[] = [];
  readonly batches: ChangeBatch[] = [];
  readonly positions: Record<string, Position> = {};
  readonly revoked: string[] = [];
  readonly rejected: { input: string | Uint8Array; at: string }[] = [];
  readonly #abort = new AbortController();
  /** While it is set the engine has no room. */
  hold: Promise<void> | null = null;
  failure: unknown = null;
  hasEnded = false;
  /** What was logged, from `info` on. */
  readonly said: readonly string[];
  #reading: Promise<void> = Promise.resolve();

  private constructor(source: Source, said: readonly string[]) {
    this.source = source;
    this.said = said;
  }

  static async start(
    config: KafkaSourceConfig,
    options: KafkaReadingOptions = {},
    of: SourceDescriptor = descriptor as unknown as SourceDescriptor,
  ): Promise<KafkaReading> {
    const said: string[] = [],
      logger = { ...silentLogger, info: (message: string) => void said.push(message) };
    const source = await of.create(config, { ...testContext('kafka', options.store ?? memoryStore()), logger }),
      reading = new KafkaReading(source, said);
    Object.assign(reading.positions, options.positions);
    reading.hold = options.hold ?? null;
    const until = options.isOneTime === true ? { partitions: await source.end(), snapshots: [] } : null;
    reading.#reading = reading.#run(options.acknowledges ?? true, until);
    return reading;
  }

  async #run(acknowledges: boolean, until: ReadContext['until']): Promise<void> {
    const ctx: ReadContext = {
      maxBatchEvents: 50,
      maxBatchBytes: 1 << 20,
      until,
      snapshots: [],
      boundaries: [],
      assign: (partition) => Promise.resolve(this.positions[partition] ?? null),
      revoke: async (partition) => {
        this.revoked.push(partition);
        if (acknowledges) await this.source.acknowledge({ ...this.positions });
      },
      end: () => Promise.resolve(),
      reject: (input, at) => {
        this.rejected.push({ input, at });
        return Promise.resolve();
      },
    };
    try {
      for await (const batch of this.source.read(ctx, this.#abort.signal)) {
        this.batches.push(batch);
        this.events.push(...batch.events);
        if (batch.resume !== null) this.positions[batch.partition] = batch.resume;
        if (this.hold !== null) await this.hold;
        if (acknowledges) await this.source.acknowledge({ ...this.positions });
      }
    } catch (error) {
      this.failure = error;
    } finally {
      this.hasEnded = true;
    }
  }

  get ids(): number[] {
    return this.events.map((e) => Number(e.after?.['id']));
  }

  /** Ends reading and waits for it; the source stays open. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#reading;
  }
  ended(): Promise<void> {
    return this.#reading;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.source.close();
  }
}
