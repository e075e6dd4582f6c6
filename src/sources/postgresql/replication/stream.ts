// The replication stream: bytes of the log in whole frames, as fast as the socket gives them, and status updates in time
// whatever the reader does. https://www.postgresql.org/docs/current/protocol-logical-replication.html
//
// | who | does |
// |---|---|
// | the reader | calls `next` for frames, `confirm` for what is durable |
// | the socket | reads into arenas; pauses while more than `maxBytes` wait, and shortly after each large read |
// | the clock | status every third of `wal_sender_timeout`, also while the reader is busy; notices a peer that fell silent |

import type { Clock, Logger } from '../../../sdk/index.ts';
import { Notifier } from '../../../util/signal.ts';
import { quoteName, quoteText } from '../../../util/sql-names.ts';
import { type ErrorPlace, sourceError, unreachable } from '../errors.ts';
import { formatLsn } from '../lsn.ts';
import { errorFields, FrameList, type Frames, HEAD_BYTES, ReplicationServerError, scanFrames } from './frames.ts';
import { ShutdownWatch } from './shutdown-watch.ts';
import type { ReplicationConnection } from './socket.ts';
import { GOODBYE, KEEPALIVE, lsnAt, queryMessage, statusUpdate, wantsReply } from './status.ts';

export interface StreamSettings {
  readonly slot: string;
  readonly publications: readonly string[];
  /** Where to begin: the first part of the stored position. 0 = where the slot stands. */
  readonly from: bigint;
  /** `status_interval` of the configuration. */
  readonly statusIntervalMs: number;
  /** Bytes that may wait for `next` before the socket pauses. */
  readonly maxBytes: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly place: ErrorPlace;
}

/**
 * More than this within `REST_MS` means that more is coming: a short rest lets the kernel gather it. The walsender writes
 * each change by itself, so a reader that wakes for each spends more on waking than on decoding (270,882 reads → 402 for
 * 500,000 inserts). An idle stream, or one of a thousand small commits a second, never rests.
 */
const REST_ABOVE_BYTES = 16 << 10;
const REST_MS = 2;
/** A single read above this: we are catching up, and nobody waits for the single event. */
const CATCH_UP_ABOVE_BYTES = 64 << 10;
const CATCH_UP_REST_MS = 5;
/** What was confirmed goes out after this at the latest, however often it moves. */
const STATUS_DELAY_MS = 100;
/** For servers whose `wal_sender_timeout` is off. */
const DEFAULT_TIMEOUT_MS = 60_000;
const CLOSE_TIMEOUT_MS = 1000;

/** The function of the server that warns of it: unlike the text, its name is not translated. */
const SKIPS_PUBLICATION = 'LoadPublications';

/** Kind and LSN of both kinds of messages. */
const LSN_END = 9;

interface Waiting extends Frames {
  readonly size: number;
}

export class ReplicationStream {
  readonly #connection: ReplicationConnection;
  readonly #settings: StreamSettings;
  readonly #timeoutMs: number;
  readonly #shutdown: ShutdownWatch;
  readonly #notifier = new Notifier();
  readonly #ended = new AbortController();
  readonly #closed = new AbortController();
  #queue: Waiting[] = [];
  readonly #list = new FrameList();
  /** Bytes of frames that nobody has taken. */
  #waitingBytes = 0;
  #failure: Error | null = null;
  #hasStarted = false;
  #isResting = false;
  #isFull = false;
  #burstBytes = 0;
  #burstSinceMs = 0;
  #lastReadMs: number;
  #pingedMs: number | null = null;
  #received = 0n;
  #confirmed = 0n;
  #isSending = false;

  constructor(connection: ReplicationConnection, settings: StreamSettings, senderTimeoutMs: number) {
    this.#connection = connection;
    this.#settings = settings;
    this.#timeoutMs = senderTimeoutMs > 0 ? senderTimeoutMs : DEFAULT_TIMEOUT_MS;
    this.#shutdown = new ShutdownWatch(this.#timeoutMs);
    this.#lastReadMs = settings.clock.now();
  }

  /** Begins the stream on a connection that nobody uses for anything else. Throws `CdcError`; on abort the signal's reason. */
  static async start(connection: ReplicationConnection, settings: StreamSettings, signal: AbortSignal): Promise<ReplicationStream> {
    try {
      const [row] = await connection.query("SELECT setting FROM pg_settings WHERE name = 'wal_sender_timeout'", signal);
      const stream = new ReplicationStream(connection, settings, Number(row?.['setting'] ?? 0));
      await stream.#start(signal);
      return stream;
    } catch (error) {
      connection.destroy();
      signal.throwIfAborted();
      throw sourceError(error, settings.place);
    }
  }

  /** Highest place in the log seen so far, by data or keepalive. */
  get received(): bigint {
    return this.#received;
  }

  /** What the server was told is durable, or soon will be. */
  get confirmed(): bigint {
    return this.#confirmed;
  }

  /**
   * Whole frames that have come; `null` when `signal` aborts, or after `close`. One call at a time. Throws what broke the stream, after all
   * frames before it have been handed over.
   */
  async next(signal: AbortSignal): Promise<Frames | null> {
    for (;;) {
      if (signal.aborted) return null;
      const frames = this.#take();
      if (frames !== null) return frames;
      if (this.#failure !== null) throw sourceError(this.#failure, this.#settings.place);
      if (this.#isOver) return null;
      await this.#notifier.wait(signal);
    }
  }

  /** Everything before `lsn` is durable: the server may forget it (invariant 1). Never goes back. */
  confirm(lsn: bigint): void {
    if (lsn <= this.#confirmed) return;
    this.#confirmed = lsn;
    this.#sendSoon();
  }

  /** Asks the server where the log ends: its keepalive comes as a frame. */
  requestKeepalive(): void {
    this.#sendStatus(true);
  }

  /** Tells the server what is durable, and ends. The slot is free once this resolves, unless the peer does not answer. */
  async close(): Promise<void> {
    if (!this.#closed.signal.aborted) {
      this.#sendStatus(false);
      this.#ended.abort();
      this.#connection.write(GOODBYE);
      this.#connection.end();
      // What still comes is read and dropped: a server that is stuck in writing would not see that we go.
      this.#connection.resume();
      await this.#settings.clock.sleep(CLOSE_TIMEOUT_MS, this.#closed.signal);
    }
    this.#ended.abort();
    this.#connection.destroy();
    this.#queue = [];
    this.#notifier.notify();
  }

  // -- start ---------------------------------------------------------------------------------------------------------------

  async #start(signal: AbortSignal): Promise<void> {
    const { slot, publications, from } = this.#settings;
    this.#connection.takeOver({ onRead: (n, filled) => this.#onRead(n, filled), onClose: (error) => this.#onClose(error) });
    this.#connection.write(queryMessage(startCommand(slot, publications, from)));
    while (!this.#hasStarted && this.#failure === null && !signal.aborted) await this.#notifier.wait(signal);
    signal.throwIfAborted();
    if (this.#failure !== null) throw this.#failure;
    void this.#keepAlive();
  }

  // -- reading -------------------------------------------------------------------------------------------------------------

  #onRead(n: number, filled: boolean): void {
    const { arena } = this.#connection;
    this.#lastReadMs = this.#settings.clock.now();
    this.#pingedMs = null;
    if (this.#isOver) {
      // Nobody wants it any more: the arena's bytes may be written again.
      arena.to = arena.from;
      return;
    }
    const before = this.#list.count,
      from = arena.from;
    try {
      arena.from = scanFrames(arena.bytes, from, arena.to, this.#list, (type, bytes, start, end) =>
        this.#onControl(type, bytes, start, end),
      );
    } catch (error) {
      this.#fail(error as Error);
      return;
    }
    this.#waitingBytes += arena.from - from;
    this.#look(before);
    if (arena.isTight) {
      this.#cut();
      arena.renew();
    }
    if (this.#list.count > before || this.#queue.length > 0) this.#notifier.notify();
    if (this.#waitingBytes > this.#settings.maxBytes) {
      this.#isFull = true;
      this.#connection.pause();
    } else if (this.#isBurst(n) && !filled) this.#rest(n > CATCH_UP_ABOVE_BYTES ? CATCH_UP_REST_MS : REST_MS);
  }

  /** Keepalives that want an answer get one at once, whether anybody calls `next` or not. */
  #look(before: number): void {
    const { starts, ends, base, end } = this.#list,
      { bytes } = this.#connection.arena;
    let isAsked = false;
    for (let i = base + before; i < end; i++) {
      const start = starts[i] as number;
      if (bytes[start] !== KEEPALIVE) continue;
      this.#see(lsnAt(bytes, start));
      isAsked ||= wantsReply(bytes, start, ends[i] as number);
    }
    const last = starts[end - 1] as number;
    if (end > base + before && (ends[end - 1] as number) - last > LSN_END) this.#see(lsnAt(bytes, last));
    if (isAsked) this.#answer();
  }

  #answer(): void {
    switch (this.#shutdown.asked(this.#settings.clock.now())) {
      case 'now':
        this.#sendStatus(false);
        return;
      case 'later':
        this.#sendSoon();
        return;
      case 'leave':
        this.#fail(this.#unreachable('it shuts down'));
    }
  }

  #see(lsn: bigint): void {
    if (lsn > this.#received) this.#received = lsn;
  }

  #isBurst(n: number): boolean {
    if (this.#lastReadMs - this.#burstSinceMs > REST_MS) {
      this.#burstSinceMs = this.#lastReadMs;
      this.#burstBytes = 0;
    }
    this.#burstBytes += n;
    return this.#burstBytes > REST_ABOVE_BYTES;
  }

  #rest(ms: number): void {
    this.#isResting = true;
    this.#burstBytes = 0;
    this.#connection.pause();
    void this.#settings.clock.sleep(ms, this.#ended.signal).then(() => {
      this.#isResting = false;
      this.#resume();
    });
  }

  #resume(): void {
    if (this.#isResting || this.#isFull || this.#isOver) return;
    // While we did not read, silence meant nothing.
    this.#lastReadMs = this.#settings.clock.now();
    this.#connection.resume();
  }

  /** What is whole in the arena goes to the queue. */
  #cut(): void {
    if (this.#list.count === 0) return;
    const { starts, ends, count } = this.#list.cut();
    const size = (ends[count - 1] as number) - (starts[0] as number) + HEAD_BYTES;
    this.#queue.push({ bytes: this.#connection.arena.bytes, starts, ends, count, size });
  }

  #take(): Frames | null {
    if (this.#queue.length === 0) this.#cut();
    const frames = this.#queue.shift();
    if (frames === undefined) return null;
    this.#waitingBytes = Math.max(0, this.#waitingBytes - frames.size);
    // Messages that are no data were counted, too.
    if (this.#queue.length === 0 && this.#list.count === 0) this.#waitingBytes = 0;
    if (this.#isFull && this.#waitingBytes <= this.#settings.maxBytes) {
      this.#isFull = false;
      this.#resume();
    }
    return frames;
  }

  // -- messages that are no data ---------------------------------------------------------------------------------------------

  #onControl(type: string, bytes: Buffer, start: number, end: number): void {
    switch (type) {
      case 'W':
        this.#hasStarted = true;
        this.#notifier.notify();
        return;
      case 'E':
        this.#fail(new ReplicationServerError(errorFields(bytes, start, end)));
        return;
      case 'N':
        this.#onNotice(errorFields(bytes, start, end));
        return;
      case 'c':
        this.#fail(this.#unreachable('the server ended the stream'));
        return;
      default:
    }
  }

  /**
   * From 18 on a publication that is gone is a mere warning, and its changes are left out: what comes behind it must not be
   * confirmed. Throws, so that no frame behind it is taken.
   */
  #onNotice(fields: ReadonlyMap<string, string>): void {
    if (fields.get('R') === SKIPS_PUBLICATION) throw new ReplicationServerError(fields);
    this.#settings.logger.debug('a notice of the server', { notice: fields.get('M') });
  }

  #onClose(error: Error | null): void {
    this.#closed.abort();
    this.#fail(error ?? this.#unreachable('the connection was closed'));
  }

  #unreachable(why: string): Error {
    const { server, where } = this.#settings.place;
    return unreachable(server, where, why);
  }

  /** The first failure counts. Frames that came before it are still handed over. */
  #fail(error: Error): void {
    if (this.#isOver) return;
    this.#failure = error;
    this.#ended.abort();
    this.#connection.destroy();
    this.#notifier.notify();
  }

  get #isOver(): boolean {
    return this.#ended.signal.aborted;
  }

  // -- status --------------------------------------------------------------------------------------------------------------

  #sendSoon(): void {
    if (this.#isSending || this.#isOver) return;
    this.#isSending = true;
    void this.#settings.clock.sleep(STATUS_DELAY_MS, this.#ended.signal).then(() => {
      this.#isSending = false;
      this.#sendStatus(false);
    });
  }

  #sendStatus(isReplyWanted: boolean): void {
    if (this.#isOver) return;
    this.#connection.write(statusUpdate(this.#received, this.#confirmed, this.#settings.clock.now(), isReplyWanted));
  }

  /** The server ends a connection that it has not heard from for `wal_sender_timeout`; we do the same the other way round. */
  async #keepAlive(): Promise<void> {
    const { clock, statusIntervalMs } = this.#settings;
    const interval = Math.max(1, Math.min(statusIntervalMs, this.#timeoutMs / 3));
    for (;;) {
      await clock.sleep(interval, this.#ended.signal);
      if (this.#isOver) return;
      const isSilent = !this.#isFull && !this.#isResting && clock.now() - this.#lastReadMs > this.#timeoutMs / 2;
      if (isSilent && (await this.#isGone())) return;
      this.#sendStatus(isSilent);
      if (isSilent) this.#pingedMs ??= clock.now();
    }
  }

  /** Asked long enough ago, and still no byte: the peer is gone, although the connection stands. */
  async #isGone(): Promise<boolean> {
    const { clock } = this.#settings;
    const wasAsked = (): boolean => this.#pingedMs !== null && clock.now() - this.#lastReadMs > this.#timeoutMs;
    if (!wasAsked()) return false;
    // If this process stood still, the answer lies in the socket: it has its turn first.
    await clock.sleep(0);
    if (!wasAsked() || this.#isOver) return false;
    this.#fail(this.#unreachable(`no byte came for ${Math.round(this.#timeoutMs / 1000)} s`));
    return true;
  }
}

/** https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html, options of pgoutput. */
export function startCommand(slot: string, publications: readonly string[], from: bigint): string {
  const names = publications.map(quoteName).join(',');
  const options = `proto_version '1', publication_names ${quoteText(names)}, messages 'true'`;
  return `START_REPLICATION SLOT ${quoteName(slot)} LOGICAL ${formatLsn(from)} (${options})`;
}
