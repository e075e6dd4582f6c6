// The `nats` destination with atomic batches: messages and the lane's point become visible in one step, or nothing does. A larger
// batch goes in parts; only the last one moves the point, and those before note which events they brought (point-record.ts).

import { randomBytes } from 'node:crypto';
import type { RecordEncoder } from '../../formats/messages.ts';
import {
  CdcError,
  type ChangeEvent,
  type Committed,
  type DestinationContext,
  type Finding,
  formatPoint,
  type LaneBatch,
  type LaneId,
  type PointHoldingDestination,
  type ResumePoint,
  type WriteResult,
} from '../../sdk/index.ts';
import { describeServers } from '../../systems/nats/config.ts';
import { Connections, type Session } from '../../systems/nats/connections.ts';
import { problemOf } from '../../systems/nats/driver-errors.ts';
import { EVENT_ID, headerOf, MSG_ID } from '../../systems/nats/header.ts';
import { parsePubAck } from '../../systems/nats/pub-ack.ts';
import { findings } from './check.ts';
import type { NatsDestinationConfig } from './config.ts';
import { encodeMessages, type Outgoing } from './encode.ts';
import { classify, fenced } from './errors.ts';
import { type HeldPoints, PointMessages } from './point-messages.ts';
import { committedOf, formatPoints, isSamePlace, markOf, pointSubject, type StoredPoints } from './point-record.ts';
import { type StreamFacts, TargetStream } from './stream.ts';
import { SubjectTemplate } from './subject-template.ts';

/** The server's own limit unless it says another one (max_batch_size). The point is one of them. */
const MAX_MESSAGES = 1000;
/** How often a claim is tried while others claim, too. */
const MAX_CLAIMS = 5;

interface Claim {
  readonly epoch: number;
  readonly points: PointMessages;
}

export class AtomicNatsDestination implements PointHoldingDestination {
  readonly #config: NatsDestinationConfig;
  readonly #encoder: RecordEncoder;
  readonly #connections: Connections;
  readonly #template: SubjectTemplate;
  readonly #stream: TargetStream;
  readonly #scope: string;
  readonly #ownPoint: string;
  readonly #where: string;
  #claim: Claim | null = null;
  #facts: StreamFacts | null = null;
  /** What the stream holds; `null`: not known, because a connection broke. */
  #held: HeldPoints | null = null;
  #maxMessages = MAX_MESSAGES;
  /** The point's message has one place: workers wait for each other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(config: NatsDestinationConfig, encoder: RecordEncoder, ctx: DestinationContext, connections?: Connections) {
    this.#config = config;
    this.#encoder = encoder;
    this.#connections = connections ?? new Connections(config, `cdc-run:${ctx.pipeline}:${ctx.name}`);
    this.#template = new SubjectTemplate(config.subject);
    this.#stream = new TargetStream(config);
    this.#scope = `${ctx.pipeline}/${ctx.name}/`;
    this.#ownPoint = pointSubject({ pipeline: ctx.pipeline, lane: ctx.name });
    this.#where = `destination "${ctx.name}"`;
  }

  check(): AsyncIterable<Finding> {
    return findings(this.#config, this.#connections, this.#stream, this.#ownPoint, this.#where);
  }

  committed(lane: LaneId): Promise<Committed> {
    return this.#inTurn(null, false, async (session) => {
      const points = this.#pointsOf(lane),
        isOurs = this.#claim?.points.subject === points.subject;
      // Messages on their way in a connection that broke must not come after what is read here.
      if (isOurs && this.#held === null) await this.#take(session, this.#claim as Claim);
      const held = await points.read(session, this.#stream.name);
      if (isOurs) this.#held = held;
      return committedOf(held.stored);
    });
  }

  claim(lane: LaneId, epoch: number): Promise<void> {
    return this.#inTurn(null, false, async (session) => {
      await this.#claimFor(session, lane, epoch);
    });
  }

  setPoints(lane: LaneId, epoch: number, points: readonly ResumePoint[]): Promise<void> {
    return this.#inTurn(null, false, async (session) => {
      const claim = await this.#claimFor(session, lane, epoch),
        held = await this.#current(session, claim),
        ahead = isSamePlace(held.stored.points, points) ? held.stored.ahead : new Set<string>();
      await this.#replace(session, claim, { epoch, points: points.map(formatPoint), ahead });
    });
  }

  write(batch: LaneBatch, signal: AbortSignal): Promise<WriteResult> {
    return this.#inTurn(signal, true, async (session) => {
      const claim = this.#claimed(),
        held = await this.#current(session, claim);
      // Invariant 2: only on top of the point that this batch continues from.
      if (held.stored.points[batch.worker] !== formatPoint(batch.previous))
        throw fenced(`The stream "${this.#stream.name}" holds another point than the one this run has written last.`);
      const template = this.#template,
        formatted = await this.#encoder.encode(batch, (event, topic) => template.of(event, topic), signal);
      if (formatted.failed.length > 0) return { kind: 'refused', failed: formatted.failed };
      const maxBytes = (this.#facts as StreamFacts).maxBytes,
        { messages, failed } = encodeMessages(batch, formatted.records, { template, scope: this.#scope, maxBytes });
      if (failed.length > 0) return { kind: 'refused', failed };
      signal.throwIfAborted();
      await this.#store(session, claim, batch, messages);
      return { kind: 'stored' };
    });
  }

  async close(): Promise<void> {
    await this.#turn;
    await Promise.all([this.#connections.close(), this.#encoder.close()]);
  }

  // -- batches -----------------------------------------------------------------------------------------------------------

  /** All parts of the batch; the last one moves the point. */
  async #store(session: Session, claim: Claim, batch: LaneBatch, messages: readonly Outgoing[]): Promise<void> {
    const { ahead } = this.#heldNow().stored,
      marks = ahead.size === 0 ? null : batch.events.map((e) => markOf(e.id));
    // Invariant 2: what a part brought before a crash is there already.
    let rest = marks === null ? messages : messages.filter((m) => !ahead.has(marks[m.event] as string));
    while (rest.length >= this.#maxMessages) {
      const count = partOf(rest, this.#maxMessages - 1),
        part = rest.slice(0, count),
        { stored } = this.#heldNow();
      const brought = new Set(part.map((m) => markOf((batch.events[m.event] as ChangeEvent).id)));
      if (await this.#send(session, claim, part, { ...stored, ahead: new Set([...stored.ahead, ...brought]) })) rest = rest.slice(count);
    }
    const { stored } = this.#heldNow(),
      points = [...stored.points];
    points[batch.worker] = formatPoint(batch.through);
    const done = stored.ahead.size === 0 ? null : new Set(batch.events.map((e) => markOf(e.id)));
    const next = { ...stored, points, ahead: done === null ? stored.ahead : new Set([...stored.ahead].filter((m) => !done.has(m))) };
    if (!(await this.#send(session, claim, rest, next))) await this.#store(session, claim, batch, messages);
  }

  /** `false`: the server takes smaller batches only, and nothing was stored. */
  async #send(session: Session, claim: Claim, messages: readonly Outgoing[], next: StoredPoints): Promise<boolean> {
    try {
      await this.#commit(session, claim, messages, next, MSG_ID);
      return true;
    } catch (error) {
      const { kind, detail } = problemOf(error);
      const limit = /batch is too large: (\d+)/.exec(detail)?.[1];
      if (limit !== undefined && Number(limit) > 1 && Number(limit) < this.#maxMessages) {
        this.#maxMessages = Number(limit);
        return false;
      }
      // They were sent before, and are wanted again: a replay, an older point that was set.
      if (kind === 'duplicate') {
        await this.#commit(session, claim, messages, next, EVENT_ID);
        return true;
      }
      if (kind === 'too_large') this.#facts = await this.#stream.prepare(session, claim.points.subject);
      if (kind === 'wrong_sequence') await this.#explain(session, claim);
      if (kind === 'away' || kind === 'no_stream') await this.#assertStream(session);
      throw error;
    }
  }

  /** One atomic batch: the messages, and the point in place of the one that is held. */
  async #commit(session: Session, claim: Claim, messages: readonly Outgoing[], next: StoredPoints, idHeader: string): Promise<void> {
    const { nc } = session.connected,
      held = this.#heldNow(),
      facts = this.#facts as StreamFacts,
      timeout = this.#config.request_timeout;
    if (messages.length === 0) {
      this.#held = await this.#unsure(() => claim.points.replace(session, facts, held, next));
      return;
    }
    const batchId = randomBytes(12).toString('hex');
    this.#held = await this.#unsure(async () => {
      for (const [i, { subject, id, lines, data }] of messages.entries()) {
        const headers = headerOf(`${idHeader}: ${id}\r\nNats-Batch-Id: ${batchId}\r\nNats-Batch-Sequence: ${i + 1}\r\n${lines}`);
        nc.publish(subject, data, { headers });
      }
      const end = `Nats-Batch-Id: ${batchId}\r\nNats-Batch-Sequence: ${messages.length + 1}\r\nNats-Batch-Commit: 1\r\n`,
        headers = claim.points.header(facts, held, end);
      const answer = await nc.request(claim.points.subject, formatPoints(next), { timeout, headers });
      return { sequence: parsePubAck(answer.data).sequence, stored: next };
    });
  }

  /** Until there is an answer nobody knows what the stream holds; an answer that says no changes nothing. */
  async #unsure(work: () => Promise<HeldPoints>): Promise<HeldPoints> {
    const before = this.#held;
    this.#held = null;
    try {
      return await work();
    } catch (error) {
      if ((error as Error).name === 'JetStreamApiError') this.#held = before;
      throw error;
    }
  }

  // -- points ------------------------------------------------------------------------------------------------------------

  #pointsOf(lane: LaneId): PointMessages {
    return new PointMessages(pointSubject(lane), this.#config.request_timeout);
  }

  /** Writes the points that are there once more, under our epoch: whatever else is on its way is stale from here on. */
  async #take(session: Session, claim: Claim): Promise<void> {
    this.#facts ??= await this.#stream.prepare(session, claim.points.subject);
    for (let tries = 1; ; tries++) {
      const held = await claim.points.read(session, this.#stream.name);
      if (held.stored.epoch > claim.epoch)
        throw fenced(`The stream "${this.#stream.name}" holds epoch ${held.stored.epoch}; this run has epoch ${claim.epoch}.`);
      if (this.#claim !== null) this.#assertThere(held);
      this.#held = null;
      try {
        this.#held = await claim.points.replace(session, this.#facts, held, { ...held.stored, epoch: claim.epoch });
        return;
      } catch (error) {
        if (problemOf(error).kind === 'wrong_sequence' && tries < MAX_CLAIMS) continue;
        this.#facts = null;
        throw error;
      }
    }
  }

  /** A lane that was claimed with the epoch stays so. */
  async #claimFor(session: Session, lane: LaneId, epoch: number): Promise<Claim> {
    const points = this.#pointsOf(lane),
      known = this.#claim;
    if (known !== null && known.points.subject === points.subject && known.epoch === epoch && this.#held !== null) return known;
    if (known?.points.subject !== points.subject) this.#claim = null;
    const claim = { epoch, points };
    this.#facts = await this.#stream.prepare(session, points.subject);
    await this.#take(session, claim);
    this.#claim = claim;
    return claim;
  }

  async #current(session: Session, claim: Claim): Promise<HeldPoints> {
    this.#facts ??= await this.#stream.prepare(session, claim.points.subject);
    if (this.#held === null) await this.#take(session, claim);
    const held = this.#heldNow();
    // A newer run may have claimed since, and what it wrote was read here.
    if (held.stored.epoch !== claim.epoch)
      throw fenced(`The stream "${this.#stream.name}" holds epoch ${held.stored.epoch}; this run has epoch ${claim.epoch}.`);
    return held;
  }

  async #replace(session: Session, claim: Claim, next: StoredPoints): Promise<void> {
    const held = this.#heldNow();
    try {
      this.#held = await this.#unsure(() => claim.points.replace(session, this.#facts as StreamFacts, held, next));
    } catch (error) {
      if (problemOf(error).kind === 'wrong_sequence') await this.#explain(session, claim);
      throw error;
    }
  }

  /** Somebody has moved the point: another run, or a late message of a connection of ours that broke. */
  async #explain(session: Session, claim: Claim): Promise<void> {
    this.#held = null;
    const held = await claim.points.read(session, this.#stream.name);
    this.#assertThere(held);
    if (held.stored.epoch !== claim.epoch)
      throw fenced(`The stream "${this.#stream.name}" holds epoch ${held.stored.epoch}; this run has epoch ${claim.epoch}.`);
    throw new CdcError('DESTINATION_OUTCOME_UNKNOWN', 'A batch of a connection that broke arrived late.', {
      retriable: true,
      fix: 'Nothing needs to be done: what the stream holds is looked up.',
    });
  }

  /** The point goes with its stream. One that is there is looked at again: it may not take our subjects any more. */
  async #assertStream(session: Session): Promise<void> {
    this.#facts = null;
    if ((await this.#stream.info(session)) === null) this.#assertThere({ sequence: 0 });
  }

  #assertThere({ sequence }: { readonly sequence: number }): void {
    if (sequence > 0) return;
    this.#facts = null;
    throw new CdcError(
      'DESTINATION_POSITION_LOST',
      `The stream "${this.#stream.name}" has lost the pipeline's place: it was deleted or purged.`,
      {
        fix: 'Restore the stream, or run `cdc-run forget <pipeline> --lane <destination>` and start anew.',
      },
    );
  }

  #heldNow(): HeldPoints {
    if (this.#held === null)
      throw new CdcError('DESTINATION_OUTCOME_UNKNOWN', 'What the stream holds is not known.', {
        retriable: true,
        fix: 'Nothing needs to be done: what the stream holds is looked up.',
      });
    return this.#held;
  }

  #claimed(): Claim {
    if (this.#claim === null) throw new CdcError('INTERNAL_UNEXPECTED', 'A batch came before the lane was claimed.');
    return this.#claim;
  }

  #inTurn<T>(signal: AbortSignal | null, isWrite: boolean, work: (session: Session) => Promise<T>): Promise<T> {
    const result = this.#turn.then(() => this.#use(signal, isWrite, work));
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #use<T>(signal: AbortSignal | null, isWrite: boolean, work: (session: Session) => Promise<T>): Promise<T> {
    let isConnected = false;
    try {
      return await this.#connections.use(signal, (session) => {
        isConnected = true;
        return work(session);
      });
    } catch (error) {
      // Before there was a connection nothing was sent over it.
      const classified = classify(error, describeServers(this.#config), this.#where, isWrite && isConnected && this.#held === null);
      if (['DESTINATION_UNREACHABLE', 'DESTINATION_OUTCOME_UNKNOWN'].includes(classified.code)) this.#connections.forget();
      throw classified;
    }
  }
}

/** Events stay whole: where the part would end in the middle of one it ends before it. */
function partOf(messages: readonly Outgoing[], limit: number): number {
  let count = limit;
  while (count > 1 && messages[count]?.event === messages[count - 1]?.event) count--;
  return count;
}
