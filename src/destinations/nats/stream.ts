// The stream that messages go to: made if it is missing, given what atomic batches need, and how large a message it takes.

import type { StreamConfig, StreamInfo, StreamUpdateConfig } from '@nats-io/jetstream';
import { CdcError, type Finding } from '../../sdk/index.ts';
import { isAtLeast } from '../../systems/nats/connect.ts';
import type { Session } from '../../systems/nats/connections.ts';
import { isNameTaken, problemOf } from '../../systems/nats/driver-errors.ts';
import { covers } from '../../systems/nats/subject.ts';
import { type NatsDestinationConfig, streamNameOf } from './config.ts';
import { SubjectTemplate } from './subject-template.ts';

const NANOS_PER_MS = 1_000_000;

export interface StreamFacts {
  readonly name: string;
  /** Of a message with its headers. */
  readonly maxBytes: number;
  /** Messages grow old: what must stay says so of itself. */
  readonly hasMaxAge: boolean;
}

export class TargetStream {
  readonly name: string;
  readonly #config: NatsDestinationConfig;

  constructor(config: NatsDestinationConfig) {
    this.name = streamNameOf(config);
    this.#config = config;
  }

  /** `null`: it is not there. */
  async info({ connected }: Session): Promise<StreamInfo | null> {
    try {
      return await connected.jsm.streams.info(this.name);
    } catch (error) {
      if (problemOf(error).kind === 'no_stream') return null;
      throw error;
    }
  }

  /** Makes it ready. `point`: the subject of the lane's points; `null`: it holds none. Throws `DESTINATION_MISCONFIGURED`. */
  async prepare(session: Session, point: string | null): Promise<StreamFacts> {
    this.#assertVersion(session);
    const found = await this.info(session);
    if (found === null && !this.#config.create_stream)
      throw misconfigured(`There is no stream "${this.name}".`, 'Create it, or set `create_stream: true`.', true);
    const info = found === null ? await this.#create(session, point) : await this.#adapt(session, found, point);
    return this.#factsOf(info.config, session);
  }

  /** What is to be said about it, without changing anything. */
  async findings(session: Session, point: string | null): Promise<Finding[]> {
    try {
      this.#assertVersion(session);
    } catch (error) {
      return [refusal(error as CdcError)];
    }
    const info = await this.info(session);
    if (info === null)
      return this.#config.create_stream
        ? [{ level: 'ok', check: 'stream', message: `the stream ${this.name} will be made` }]
        : [refusal(misconfigured(`there is no stream "${this.name}"`, 'Create it, or set `create_stream: true`.'))];
    const lacking = Object.keys(this.#lacking(info.config, point));
    const found: Finding[] = [
      {
        level: 'ok',
        check: 'stream',
        message: `the stream ${this.name} has ${info.state.messages} messages of ${info.config.subjects.join(', ')}`,
      },
      ...this.#impossible(info.config).map(refusal),
      ...this.#uncovered(info.config).map(refusal),
    ];
    if (lacking.length > 0)
      found.push(
        this.#config.create_stream
          ? { level: 'ok', check: 'stream', message: `it will be given ${lacking.join(', ')}` }
          : refusal(
              misconfigured(`the stream ${this.name} lacks ${lacking.join(', ')}`, 'Set it, or `create_stream: true`, or `atomic: false`.'),
            ),
      );
    if (info.config.storage === 'memory')
      found.push({
        level: 'warning',
        check: 'durability',
        message: 'the stream is kept in memory: a restart of its server loses it',
        fix: 'Keep it in files.',
      });
    return found;
  }

  #assertVersion({ connected: { version } }: Session): void {
    if (!this.#config.atomic || isAtLeast(version, [2, 12])) return;
    throw misconfigured(
      `NATS ${version.join('.')} has no atomic batches.`,
      'Use NATS 2.12 or later, or set `atomic: false`: at-least-once.',
    );
  }

  async #create(session: Session, point: string | null): Promise<StreamInfo> {
    const { connected } = session,
      { stream_defaults: d, subject } = this.#config,
      own = d.subjects ?? [new SubjectTemplate(subject).pattern ?? '>'];
    const config = {
      name: this.name,
      subjects: point === null ? own : [...own, point],
      storage: d.storage,
      num_replicas: d.replicas,
      max_age: d.max_age * NANOS_PER_MS,
      max_bytes: d.max_bytes ?? -1,
      max_msgs: d.max_messages ?? -1,
      discard: d.discard,
      duplicate_window: (d.max_age === 0 ? d.duplicate_window : Math.min(d.duplicate_window, d.max_age)) * NANOS_PER_MS,
      ...(this.#config.atomic ? { allow_atomic: true, allow_rollup_hdrs: true, allow_msg_ttl: d.max_age > 0 } : {}),
    };
    try {
      return await connected.jsm.streams.add(config as Partial<StreamConfig> & { name: string });
    } catch (error) {
      // Somebody was faster: another pipeline that begins at the same moment.
      const info = isNameTaken(error) ? await connected.jsm.streams.info(this.name) : null;
      if (info === null) throw error;
      return this.#adapt(session, info, point);
    }
  }

  async #adapt({ connected }: Session, info: StreamInfo, point: string | null): Promise<StreamInfo> {
    const [problem] = [...this.#impossible(info.config), ...this.#uncovered(info.config)];
    if (problem !== undefined) throw problem;
    const lacking = this.#lacking(info.config, point),
      names = Object.keys(lacking);
    if (names.length === 0) return info;
    if (!this.#config.create_stream)
      throw misconfigured(`The stream "${this.name}" lacks ${names.join(', ')}.`, 'Set it, or `create_stream: true`, or `atomic: false`.');
    return connected.jsm.streams.update(this.name, lacking);
  }

  /** What atomic batches need and can be switched on. */
  #lacking(config: StreamConfig, point: string | null): Partial<StreamUpdateConfig> {
    if (!this.#config.atomic) return {};
    return {
      ...(config.allow_atomic ? {} : { allow_atomic: true }),
      ...(config.allow_rollup_hdrs ? {} : { allow_rollup_hdrs: true }),
      ...(config.max_age === 0 || config.allow_msg_ttl ? {} : { allow_msg_ttl: true }),
      ...(point === null || config.subjects.some((s) => covers(s, point)) ? {} : { subjects: [...config.subjects, point] }),
    } as Partial<StreamUpdateConfig>;
  }

  #impossible(config: StreamConfig): CdcError[] {
    const problems: CdcError[] = [];
    if (config.no_ack)
      problems.push(misconfigured(`the stream ${this.name} confirms nothing (no_ack)`, 'Switch no_ack off, or use another stream.'));
    if (!this.#config.atomic) return problems;
    if (config.subject_transform !== undefined)
      problems.push(
        misconfigured(
          `the stream ${this.name} transforms subjects: the pipeline's place would not be found again`,
          'Use another stream, or set `atomic: false`.',
        ),
      );
    // Work queues and streams by interest remove what nobody waits for: the point.
    if (config.retention !== 'limits')
      problems.push(
        misconfigured(
          `the stream ${this.name} has retention ${config.retention}: it would lose the pipeline's place`,
          'Use retention limits, or set `atomic: false`.',
        ),
      );
    if (config.deny_purge)
      problems.push(
        misconfigured(
          `the stream ${this.name} denies purges, which replace the pipeline's place`,
          'Use another stream, or set `atomic: false`.',
        ),
      );
    return problems;
  }

  #uncovered(config: StreamConfig): CdcError[] {
    const pattern = new SubjectTemplate(this.#config.subject).pattern;
    // A pattern may be wider than what the template makes: `cdc.*.orders` does for `cdc.{database}.orders`.
    const sample = pattern === this.#config.subject ? pattern : null;
    if (sample === null || config.subjects.some((s) => covers(s, sample))) return [];
    return [misconfigured(`the stream ${this.name} does not take the subject ${sample}`, 'Correct `stream` or `subject`.')];
  }

  #factsOf(config: StreamConfig, { connected }: Session): StreamFacts {
    const own = config.max_msg_size;
    return {
      name: this.name,
      maxBytes: own > 0 ? Math.min(own, connected.maxPayload) : connected.maxPayload,
      hasMaxAge: config.max_age > 0,
    };
  }
}

function misconfigured(message: string, fix: string, retriable = false): CdcError {
  return new CdcError('DESTINATION_MISCONFIGURED', message, { fix, retriable });
}

function refusal({ code, message, fix }: CdcError): Finding {
  return { level: 'error', check: 'stream', message, code, fix: fix ?? 'Look at the stream.' };
}
