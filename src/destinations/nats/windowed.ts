// The `nats` destination without atomic batches: message by message, many on their way, at-least-once. The server drops repeats by
// their id, within its window; a batch that has left a hole is sent again under new ids, or what closes the hole would come last.

import type { RecordEncoder } from '../../formats/messages.ts';
import type { Clock, Committed, Destination, DestinationContext, Finding, LaneBatch, WriteResult } from '../../sdk/index.ts';
import { describeServers } from '../../systems/nats/config.ts';
import { Connections, type Session } from '../../systems/nats/connections.ts';
import { problemOf } from '../../systems/nats/driver-errors.ts';
import { headerOf, MSG_ID } from '../../systems/nats/header.ts';
import { publishWindow, WindowError, type WindowMessage } from '../../systems/nats/window.ts';
import { findings } from './check.ts';
import type { NatsDestinationConfig } from './config.ts';
import { encodeMessages } from './encode.ts';
import { classify } from './errors.ts';
import { type StreamFacts, TargetStream } from './stream.ts';
import { SubjectTemplate } from './subject-template.ts';

export class NatsDestination implements Destination {
  readonly #config: NatsDestinationConfig;
  readonly #encoder: RecordEncoder;
  readonly #connections: Connections;
  readonly #template: SubjectTemplate;
  readonly #stream: TargetStream;
  readonly #clock: Clock;
  readonly #scope: string;
  readonly #where: string;
  #facts: StreamFacts | null = null;
  /** Of ids: counts the batches that left a hole. */
  #round = 0;
  #isAgain = false;

  constructor(config: NatsDestinationConfig, encoder: RecordEncoder, ctx: DestinationContext) {
    this.#config = config;
    this.#encoder = encoder;
    this.#connections = new Connections(config, `cdc-run:${ctx.pipeline}:${ctx.name}`);
    this.#template = new SubjectTemplate(config.subject);
    this.#stream = new TargetStream(config);
    this.#clock = ctx.clock;
    this.#scope = `${ctx.pipeline}/${ctx.name}/`;
    this.#where = `destination "${ctx.name}"`;
  }

  check(): AsyncIterable<Finding> {
    return findings(this.#config, this.#connections, this.#stream, null, this.#where);
  }

  committed(): Promise<Committed> {
    return Promise.resolve({ kind: 'untracked' });
  }

  async write(batch: LaneBatch, signal: AbortSignal): Promise<WriteResult> {
    try {
      return await this.#connections.use(signal, (session) => this.#write(session, batch, signal));
    } catch (error) {
      const cause = error instanceof WindowError ? error.cause : error,
        { kind } = problemOf(cause);
      if (error instanceof WindowError && (error.isHole || kind !== 'broken')) {
        this.#round++;
        this.#isAgain = true;
      }
      // A stream that is gone, or has other limits now, is looked at again.
      if (kind === 'no_stream' || kind === 'too_large' || kind === 'away') this.#facts = null;
      const classified = classify(cause, describeServers(this.#config), this.#where, true);
      if (kind === 'broken' || kind === 'unreachable') this.#connections.forget();
      throw classified;
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#connections.close(), this.#encoder.close()]);
  }

  async #write(session: Session, batch: LaneBatch, signal: AbortSignal): Promise<WriteResult> {
    this.#facts ??= await this.#stream.prepare(session, null);
    const template = this.#template,
      formatted = await this.#encoder.encode(batch, (event, topic) => template.of(event, topic), signal);
    if (formatted.failed.length > 0) return { kind: 'refused', failed: formatted.failed };
    const options = { template, scope: this.#scope, maxBytes: this.#facts.maxBytes },
      { messages, failed } = encodeMessages(batch, formatted.records, options);
    if (failed.length > 0) return { kind: 'refused', failed };
    signal.throwIfAborted();
    const again = this.#isAgain ? `~${this.#round}` : '';
    const ready = messages.map(
      ({ subject, id, lines, data }): WindowMessage => ({ subject, data, headers: headerOf(`${MSG_ID}: ${id}${again}\r\n${lines}`) }),
    );
    await publishWindow(session, ready, {
      maxInFlight: this.#config.max_in_flight,
      timeoutMs: this.#config.request_timeout,
      sleep: (ms, over) => this.#clock.sleep(ms, over),
    });
    this.#isAgain = false;
    return { kind: 'stored' };
  }
}
