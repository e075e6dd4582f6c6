// The source as the engine sees it. Two connections: one waits for entries, the other acknowledges, keeps what is under way, and asks.

import { randomBytes } from 'node:crypto';
import { openMessageDecoder } from '../../formats/create.ts';
import {
  type ChangeBatch,
  type Finding,
  type Lag,
  type PartitionPositions,
  type ReadContext,
  type Source,
  type SourceContext,
  type SourceDescription,
  sortablePositions,
  type TableId,
  type TableSchema,
} from '../../sdk/index.ts';
import type { Client } from '../../systems/redis/client.ts';
import { Connections } from '../../systems/redis/connections.ts';
import { describeEndpoint, endpointOf } from '../../systems/redis/endpoint.ts';
import { findings } from './check.ts';
import { entryKindOf, type RedisStreamSourceConfig } from './config.ts';
import { type EntryDecoder, fieldDecoder, valueDecoder } from './decode.ts';
import { classify } from './errors.ts';
import { Group, type GroupNames } from './group.ts';
import { Reading } from './reading.ts';
import { Receipts } from './receipts.ts';

/** In the source's store. */
const CONSUMER = 'redis_stream/consumer',
  JOINED = 'redis_stream/joined';

export async function createSource(
  config: RedisStreamSourceConfig,
  ctx: SourceContext,
  env: NodeJS.ProcessEnv,
): Promise<RedisStreamSource> {
  const decoder =
    entryKindOf(config) === 'fields'
      ? fieldDecoder(config.stream_name, config.table, config.key_fields ?? [])
      : valueDecoder(config.stream_name, await openMessageDecoder(config, ctx));
  const names: GroupNames = {
    stream: config.stream_name,
    group: config.consumer_group ?? `cdc_run_${ctx.pipeline}`,
    consumer: config.consumer_name ?? (await ownName(ctx)),
  };
  return new RedisStreamSource(config, ctx, env, names, decoder);
}

/** The same after a restart, so that what was unfinished is ours again at once; another for another process. */
async function ownName({ store, pipeline }: SourceContext): Promise<string> {
  const known = await store.get(CONSUMER);
  if (known !== null) return Buffer.from(known).toString();
  const name = `${pipeline}-${randomBytes(4).toString('hex')}`;
  await store.set(CONSUMER, Buffer.from(name));
  return name;
}

export class RedisStreamSource implements Source {
  readonly ordering = 'queue';
  readonly exclusive = false;
  readonly positions = sortablePositions('receipt');
  readonly #config: RedisStreamSourceConfig;
  readonly #ctx: SourceContext;
  readonly #names: GroupNames;
  readonly #group: Group;
  readonly #decoder: EntryDecoder;
  readonly #receipts: Receipts;
  readonly #reader: Connections;
  readonly #control: Connections;
  readonly #server: string;

  constructor(config: RedisStreamSourceConfig, ctx: SourceContext, env: NodeJS.ProcessEnv, names: GroupNames, decoder: EntryDecoder) {
    const endpoint = endpointOf(config, env),
      name = `cdc-run:${ctx.pipeline}:${ctx.name}`;
    this.#config = config;
    this.#ctx = ctx;
    this.#names = names;
    this.#group = new Group(names);
    this.#decoder = decoder;
    // Later sessions are greater, and two of the same moment differ.
    this.#receipts = new Receipts(ctx.clock.now() * 1000 + Math.floor(ctx.random() * 1000));
    this.#reader = new Connections(endpoint, `${name}:read`);
    this.#control = new Connections(endpoint, name);
    this.#server = describeEndpoint(endpoint);
  }

  describe(): SourceDescription {
    return { connector: 'redis_stream', database: null };
  }

  async *check(): AsyncIterable<Finding> {
    yield* findings(this.#config, this.#names, (work) => this.#use(this.#control, work));
  }

  async *read(ctx: ReadContext, signal: AbortSignal): AsyncIterable<ChangeBatch> {
    if (signal.aborted) return;
    const over = new AbortController(),
      cut = (): void => this.#reader.forget();
    // What the server has handed out to a connection that is cut stays ours: it is pending, and read again.
    signal.addEventListener('abort', cut, { once: true });
    try {
      const client = await this.#use(this.#reader, (c) => this.#join(c));
      await ctx.assign(this.#names.stream);
      const reading = new Reading({ ...this.#reading(), group: this.#group }, client, ctx, signal);
      void this.#keepUnfinished(reading, AbortSignal.any([signal, over.signal]));
      yield* reading.batches();
    } catch (error) {
      if (signal.aborted) return;
      this.#reader.forget();
      throw classify(error, this.#server, this.#where);
    } finally {
      over.abort();
      signal.removeEventListener('abort', cut);
    }
  }

  /** A queue has no end: a one_time run stops when it is empty. */
  async end(): Promise<PartitionPositions> {
    return {};
  }

  async acknowledge(upTo: PartitionPositions): Promise<void> {
    const ids = this.#receipts.upTo(upTo[this.#names.stream]);
    if (ids.length === 0) return;
    await this.#use(this.#control, (client) => this.#group.acknowledge(client, ids));
    this.#receipts.forget(upTo[this.#names.stream]);
  }

  async acknowledged(): Promise<PartitionPositions | null> {
    return null;
  }

  async lag(): Promise<Lag> {
    const info = await this.#use(this.#control, (client) => this.#group.info(client));
    return { events: info === null || info.lag === null ? null : info.lag + info.pending, bytes: null };
  }

  async schema(_table: TableId): Promise<TableSchema> {
    return this.#decoder.table();
  }

  async close(): Promise<void> {
    await Promise.all([this.#reader.close(), this.#control.close(), this.#decoder.close()]);
  }

  get #where(): string {
    return `source "${this.#ctx.name}"`;
  }

  #reading() {
    const { claim_after: claimAfterMs, max_deliveries: maxDeliveries } = this.#config;
    return {
      source: this.#ctx.name,
      stream: this.#names.stream,
      receipts: this.#receipts,
      decoder: this.#decoder,
      claimAfterMs,
      maxDeliveries,
      clock: this.#ctx.clock,
    };
  }

  /**
   * Makes the group if it is not there. One that we have seen and that is gone begins at the first entry there is, whatever
   * `initial_position` says: entries may have come since it was removed.
   */
  async #join(client: Client): Promise<Client> {
    const { store, logger } = this.#ctx,
      joined = `${JOINED}/${this.#names.stream}/${this.#names.group}`,
      wasThere = (await store.get(joined)) !== null;
    const isNew = await this.#group.create(client, wasThere || this.#config.initial_position === 'earliest' ? '0' : '$');
    if (isNew && wasThere)
      logger.warn('the consumer group was gone: it begins anew at the first entry', {
        stream: this.#names.stream,
        group: this.#names.group,
      });
    if (!wasThere) await store.set(joined, Buffer.from('1'));
    return client;
  }

  /** While a destination is slow, or the reader waits for room: nobody may take us for dead. */
  async #keepUnfinished(reading: Reading, signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#ctx;
    while (!signal.aborted) {
      await clock.sleep(this.#config.claim_after / 3, signal);
      const ids = [...this.#receipts.ids, ...reading.waiting()];
      if (signal.aborted || ids.length === 0) continue;
      try {
        await this.#use(this.#control, (client) => this.#group.keep(client, ids));
      } catch (error) {
        logger.debug('unfinished entries could not be kept', { error: (error as Error).message });
      }
    }
  }

  async #use<T>(connections: Connections, work: (client: Client) => Promise<T>): Promise<T> {
    try {
      return await connections.use(null, work);
    } catch (error) {
      const classified = classify(error, this.#server, this.#where);
      if (classified.retriable) connections.forget();
      throw classified;
    }
  }
}
