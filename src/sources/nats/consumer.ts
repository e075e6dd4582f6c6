// The durable consumer and its stream: found, made if they are missing, and refused where reading through it would lose messages.

import type { ConsumerConfig, ConsumerInfo } from '@nats-io/jetstream';
import { CdcError } from '../../sdk/index.ts';
import { isAtLeast } from '../../systems/nats/connect.ts';
import type { Session } from '../../systems/nats/connections.ts';
import { problemOf } from '../../systems/nats/driver-errors.ts';
import { covers, isPoint } from '../../systems/nats/subject.ts';
import { type NatsSourceConfig, streamNameFor, subjectsOf } from './config.ts';

const NANOS_PER_MS = 1_000_000;

export interface Found {
  readonly stream: string;
  /** `null`: it will be made. */
  readonly consumer: ConsumerInfo | null;
  /** Why reading through it would lose messages, or bring others than those that are asked for. */
  readonly problems: readonly CdcError[];
}

export class DurableConsumer {
  readonly name: string;
  readonly #config: NatsSourceConfig;
  readonly #subjects: readonly string[];

  constructor(config: NatsSourceConfig, pipeline: string) {
    this.#config = config;
    this.#subjects = subjectsOf(config);
    this.name = config.durable_name ?? `cdc_run_${pipeline}`.replace(/[\s.*>/\\]/g, '_');
  }

  /** What there is. `null`: no stream. */
  async find(session: Session): Promise<Found | null> {
    const stream = await this.#streamOf(session);
    if (stream === null) return null;
    try {
      const consumer = await session.connected.jsm.consumers.info(stream, this.name);
      return { stream, consumer, problems: [...this.#problems(consumer.config), ...(await this.#unfiltered(session, consumer))] };
    } catch (error) {
      if (problemOf(error).kind !== 'no_consumer') throw error;
      return { stream, consumer: null, problems: [] };
    }
  }

  /** Makes what is missing. `from`: where a new consumer begins. */
  async prepare(session: Session, from: 'all' | 'new'): Promise<{ readonly info: ConsumerInfo; readonly isNew: boolean }> {
    const found = (await this.find(session)) ?? { stream: await this.#createStream(session), consumer: null, problems: [] };
    if (found.consumer === null) return { info: await this.#create(session, found.stream, from), isNew: true };
    const [problem] = found.problems;
    if (problem !== undefined) throw problem;
    return { info: found.consumer, isNew: false };
  }

  #problems(config: ConsumerConfig): CdcError[] {
    const problems: CdcError[] = [],
      filters = filtersOf(config);
    if (config.deliver_subject !== undefined && config.deliver_subject !== '')
      problems.push(misconfigured(`The consumer "${this.name}" pushes.`, 'Name another one in `durable_name`.'));
    if (config.ack_policy !== 'explicit')
      problems.push(
        misconfigured(
          `The consumer "${this.name}" has ack policy ${config.ack_policy}.`,
          'Use ack policy explicit, or another `durable_name`.',
        ),
      );
    if (this.#subjects.length > 0 && filters.length > 0 && !isSame(filters, this.#subjects))
      problems.push(
        misconfigured(
          `The consumer "${this.name}" filters by ${filters.join(', ')}.`,
          'Correct `subject`, or name another consumer in `durable_name`.',
        ),
      );
    // A message without its payload reads as the end of a row.
    if (config.headers_only === true)
      problems.push(misconfigured(`The consumer "${this.name}" delivers headers only.`, 'Name another one in `durable_name`.'));
    if ((config.priority_groups ?? []).length > 0)
      problems.push(misconfigured(`The consumer "${this.name}" has priority groups.`, 'Name another one in `durable_name`.'));
    return problems;
  }

  /** One that filters nothing brings all of its stream. */
  async #unfiltered({ connected: { jsm } }: Session, { config, stream_name }: ConsumerInfo): Promise<CdcError[]> {
    if (this.#subjects.length === 0 || filtersOf(config).length > 0) return [];
    const { subjects = [] } = (await jsm.streams.info(stream_name)).config,
      other = subjects.find((own) => !isPoint(own) && !this.#subjects.some((s) => covers(s, own)));
    if (other === undefined) return [];
    return [
      misconfigured(
        `The consumer "${this.name}" does not filter, and its stream has ${other}, too.`,
        'Give it the filter of `subject`, or name another one in `durable_name`.',
      ),
    ];
  }

  async #streamOf({ connected: { jsm } }: Session): Promise<string | null> {
    const { stream } = this.#config,
      [subject = ''] = this.#subjects;
    try {
      if (stream === undefined) return await jsm.streams.find(subject);
      const info = await jsm.streams.info(stream);
      const missing = this.#subjects.find((s) => !(info.config.subjects ?? []).some((own) => covers(own, s) || covers(s, own)));
      if (missing === undefined || (info.config.sources ?? []).length > 0 || info.config.mirror !== undefined) return stream;
      throw misconfigured(`The stream "${stream}" does not take the subject ${missing}.`, 'Correct `stream` or `subject`.');
    } catch (error) {
      if (problemOf(error).kind === 'no_stream') return null;
      throw error;
    }
  }

  async #createStream({ connected: { jsm } }: Session): Promise<string> {
    const name = this.#config.stream ?? streamNameFor(this.#subjects);
    if (!this.#config.create_stream || this.#subjects.length === 0)
      throw misconfigured(
        this.#config.stream === undefined ? `No stream has the subject ${this.#subjects.join(', ')}.` : `There is no stream "${name}".`,
        'Create it, or set `create_stream: true` and `subject`.',
        true,
      );
    await jsm.streams.add({ name, subjects: [...this.#subjects] });
    return name;
  }

  #create({ connected: { jsm, version } }: Session, stream: string, from: 'all' | 'new'): Promise<ConsumerInfo> {
    const [first, second] = this.#subjects;
    if (second !== undefined && !isAtLeast(version, [2, 10]))
      throw misconfigured(
        `NATS ${version.join('.')} takes one subject per consumer.`,
        'Use NATS 2.10 or later, or one `subject` with wildcards.',
      );
    const { ack_wait: ackWaitMs, max_ack_pending } = this.#config;
    const filter = second !== undefined ? { filter_subjects: [...this.#subjects] } : first === undefined ? {} : { filter_subject: first };
    return jsm.consumers.add(stream, {
      durable_name: this.name,
      ack_policy: 'explicit',
      deliver_policy: from,
      ack_wait: ackWaitMs * NANOS_PER_MS,
      max_ack_pending,
      // What is delivered too often goes to our dead letter queue; the server would just not deliver it any more.
      max_deliver: -1,
      ...filter,
    });
  }
}

function filtersOf({ filter_subject, filter_subjects = [] }: ConsumerConfig): readonly string[] {
  return filter_subject === undefined || filter_subject === '' ? filter_subjects : [filter_subject];
}

const isSame = (a: readonly string[], b: readonly string[]): boolean => a.length === b.length && a.every((s) => b.includes(s));

export function misconfigured(message: string, fix: string, retriable = false): CdcError {
  return new CdcError('SOURCE_MISCONFIGURED', message, { fix, retriable });
}
