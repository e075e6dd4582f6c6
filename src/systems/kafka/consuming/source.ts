// The Kafka source: one member of a consumer group at a time, and what can be asked beside it.

import { messageEnvelopeOf } from '../../../formats/config.ts';
import type { MessageDecoder } from '../../../formats/messages.ts';
import type {
  ChangeBatch,
  Finding,
  Lag,
  PartitionPositions,
  Position,
  ReadContext,
  Source,
  SourceContext,
  SourceDescription,
  TableId,
  TableSchema,
} from '../../../sdk/index.ts';
import { globToRegExp, isGlob } from '../../../util/glob.ts';
import type { Admin, KafkaClient, PartitionEnds } from '../client.ts';
import { withAdmin } from '../with-admin.ts';
import { findings } from './check.ts';
import { type ConsumingConfig, topicsOf } from './config.ts';
import { noTopic, toKafkaError } from './errors.ts';
import { Member } from './member.ts';
import { kafkaPositions, partitionName, positionOf } from './position.ts';

const MEMBER_KEY = 'member';

/** What differs between the adapters that read topics. */
export interface ConsumingKind {
  /** The connector in envelopes. */
  readonly connector: string;
  /** Rows of a snapshot stay op `r`, though they are no chunk of one here; else they are messages like all others, op `c`. */
  readonly keepsReads: boolean;
}

export class KafkaSource implements Source {
  readonly ordering = 'log';
  /** Several processes share the group; what each reads is divided by the brokers. */
  readonly exclusive = false;
  readonly positions = kafkaPositions;
  readonly #config: ConsumingConfig;
  readonly #client: KafkaClient;
  readonly #decoder: MessageDecoder;
  readonly #ctx: SourceContext;
  readonly #where: string;
  readonly #group: string;
  readonly #kind: ConsumingKind;
  #member: Member | null = null;

  constructor(config: ConsumingConfig, client: KafkaClient, decoder: MessageDecoder, ctx: SourceContext, kind: ConsumingKind) {
    this.#config = config;
    this.#client = client;
    this.#decoder = decoder;
    this.#ctx = ctx;
    this.#kind = kind;
    this.#where = `source "${ctx.name}"`;
    this.#group = config.group_id ?? `cdc-run.${ctx.pipeline}.${ctx.name}`;
  }

  describe(): SourceDescription {
    return { connector: this.#kind.connector, database: null };
  }

  check(): AsyncIterable<Finding> {
    const topics = (admin: Admin) => this.#topics(admin);
    return findings(this.#client, this.#config, { topics, group: this.#group, where: this.#where });
  }

  async *read(ctx: ReadContext, signal: AbortSignal): AsyncIterable<ChangeBatch> {
    try {
      await this.#leave();
      const topics = await this.#ask((admin) => this.#topics(admin)),
        { clock, logger, name: source } = this.#ctx;
      if (signal.aborted) return;
      const id = await this.#memberId();
      const shared = { config: this.#config, client: this.#client, decoder: this.#decoder, kind: this.#kind, clock, logger, source };
      this.#member = new Member({ ...shared, where: this.#where, group: this.#group, id, topics, ctx, signal });
      yield* this.#member.batches();
    } catch (error) {
      if (signal.aborted) return;
      await this.#leave();
      throw toKafkaError(error, this.#where);
    }
  }

  async end(): Promise<PartitionPositions> {
    const ends: { [partition: string]: Position } = {};
    for (const [name, { low, high }] of await this.#ends()) if (high > low) ends[name] = positionOf(high - 1n);
    return ends;
  }

  async acknowledge(upTo: PartitionPositions): Promise<void> {
    try {
      await this.#member?.acknowledge(upTo);
    } catch (error) {
      throw toKafkaError(error, this.#where);
    }
  }

  /** Kafka forgets by age and size, whatever a group has committed; what is gone is found when a partition is placed. */
  acknowledged(): Promise<null> {
    return Promise.resolve(null);
  }

  async lag(): Promise<Lag> {
    const ends = await this.#ends(),
      end = Object.fromEntries([...ends].filter(([, { high }]) => high > 0n).map(([name, { high }]) => [name, positionOf(high - 1n)]));
    if (this.#member !== null) return { events: Number(this.#member.behind(ends)), bytes: null, end };
    const committed = await this.#ask(async (admin) => admin.committed(this.#group, await this.#topics(admin)));
    let events = 0n;
    for (const [name, { low, high }] of ends) {
      const from = committed.find((c) => partitionName(c) === name)?.offset ?? low;
      if (high > from) events += high - from;
    }
    return { events: Number(events), bytes: null, end };
  }

  schema(table: TableId): Promise<TableSchema> {
    return Promise.resolve(this.#decoder.table(table.table));
  }

  /** Events in an envelope name their tables themselves. */
  async tables(): Promise<readonly TableId[]> {
    if (messageEnvelopeOf(this.#config) !== 'row') return [];
    return (await this.#ask((admin) => this.#topics(admin))).map((topic) => this.#decoder.table(topic).id);
  }

  async close(): Promise<void> {
    await this.#leave();
    await this.#decoder.close();
  }

  async #leave(): Promise<void> {
    const member = this.#member;
    this.#member = null;
    await member?.leave();
  }

  #ends(): Promise<Map<string, PartitionEnds>> {
    return this.#ask(async (admin) => {
      const ends = new Map<string, PartitionEnds>();
      for (const topic of await this.#topics(admin)) {
        for (const e of await admin.ends(topic)) ends.set(partitionName({ topic, partition: e.partition }), e);
      }
      return ends;
    });
  }

  /** Those that exist. Throws `SOURCE_MISCONFIGURED` for a name that does not, and for a pattern that matches none. */
  async #topics(admin: Admin): Promise<string[]> {
    const wanted = topicsOf(this.#config),
      all = (await admin.topics(wanted.some(isGlob) ? null : wanted)).map((t) => t.name);
    const found = wanted.map((name) => ({ name, topics: isGlob(name) ? matching(name, all) : all.filter((t) => t === name) }));
    const missing = found.filter((f) => f.topics.length === 0).map((f) => f.name);
    if (missing.length > 0) throw noTopic(missing, this.#where);
    return [...new Set(found.flatMap((f) => f.topics))];
  }

  async #ask<T>(work: (admin: Admin) => Promise<T>): Promise<T> {
    try {
      return await withAdmin(this.#client, work);
    } catch (error) {
      throw toKafkaError(error, this.#where);
    }
  }

  /** Tells our commits from those of other members, over restarts. */
  async #memberId(): Promise<string> {
    const known = await this.#ctx.store.get(MEMBER_KEY);
    if (known !== null) return Buffer.from(known).toString();
    const id = `cdc-run ${this.#ctx.pipeline} ${Math.trunc(this.#ctx.random() * 2 ** 48).toString(16)}`;
    await this.#ctx.store.set(MEMBER_KEY, Buffer.from(id));
    return id;
  }
}

/** Topics of Kafka itself begin with two underscores. */
const matching = (pattern: string, all: readonly string[]): string[] => {
  const isMatch = globToRegExp(pattern, '/');
  return all.filter((topic) => !topic.startsWith('__') && isMatch.test(topic));
};
