// The replication stream: bytes of the log in whole frames, as fast as the socket gives them, and status updates in time
// whatever the reader does. https://www.postgresql.org/docs/current/protocol-logical-replication.html
//
// | who | does |
// |---|---|
// | the reader | calls `next` for frames (waiting-frames.ts), `confirm` for what is durable (status-sender.ts) |
// | the socket | reads into arenas; pauses while more than `maxBytes` wait, and shortly after each large read (read-pace.ts) |
// | the clock | status every third of `wal_sender_timeout`, also while the reader is busy; notices a peer that fell silent (peer-watch.ts) |

import { Notifier } from '../../../util/signal.ts';
import { sourceError, unreachable } from '../errors.ts';
import { readControl } from './control.ts';
import type { Frames } from './frames.ts';
import { PeerWatch } from './peer-watch.ts';
import { ReadPace } from './read-pace.ts';
import { ShutdownWatch } from './shutdown-watch.ts';
import type { ReplicationConnection } from './socket.ts';
import { startCommand } from './start-command.ts';
import { GOODBYE, queryMessage } from './status.ts';
import { StatusSender } from './status-sender.ts';
import type { StreamSettings } from './stream-settings.ts';
import { WaitingFrames } from './waiting-frames.ts';

const CLOSE_TIMEOUT_MS = 1000;

export class ReplicationStream {
  readonly #connection: ReplicationConnection;
  readonly #settings: StreamSettings;
  readonly #peer: PeerWatch;
  readonly #shutdown: ShutdownWatch;
  readonly #status: StatusSender;
  readonly #waiting: WaitingFrames;
  readonly #pace = new ReadPace();
  readonly #notifier = new Notifier();
  readonly #ended = new AbortController();
  readonly #closed = new AbortController();
  #failure: Error | null = null;
  #hasStarted = false;
  #isResting = false;
  #isFull = false;

  constructor(connection: ReplicationConnection, settings: StreamSettings, senderTimeoutMs: number) {
    const { clock, statusIntervalMs } = settings;
    this.#connection = connection;
    this.#settings = settings;
    this.#waiting = new WaitingFrames(settings.maxBytes);
    this.#status = new StatusSender(clock, (message) => connection.write(message), this.#ended.signal);
    this.#peer = new PeerWatch({
      senderTimeoutMs,
      statusIntervalMs,
      clock,
      ended: this.#ended.signal,
      isPaused: () => this.#isFull || this.#isResting,
      send: (isReplyWanted) => this.#status.send(isReplyWanted),
      onGone: (why) => this.#fail(this.#unreachable(why)),
    });
    this.#shutdown = new ShutdownWatch(this.#peer.timeoutMs);
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
    return this.#status.received;
  }

  /** What the server was told is durable, or soon will be. */
  get confirmed(): bigint {
    return this.#status.confirmed;
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
    this.#status.confirm(lsn);
  }

  /** Asks the server where the log ends: its keepalive comes as a frame. */
  requestKeepalive(): void {
    this.#status.send(true);
  }

  /** Tells the server what is durable, and ends. The slot is free once this resolves, unless the peer does not answer. */
  async close(): Promise<void> {
    if (!this.#closed.signal.aborted) {
      this.#status.send(false);
      this.#ended.abort();
      this.#connection.write(GOODBYE);
      this.#connection.end();
      // What still comes is read and dropped: a server that is stuck in writing would not see that we go.
      this.#connection.resume();
      await this.#settings.clock.sleep(CLOSE_TIMEOUT_MS, this.#closed.signal);
    }
    this.#ended.abort();
    this.#connection.destroy();
    this.#waiting.clear();
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
    void this.#peer.run();
  }

  // -- reading -------------------------------------------------------------------------------------------------------------

  #onRead(n: number, filled: boolean): void {
    const { arena } = this.#connection,
      nowMs = this.#settings.clock.now();
    this.#peer.heard(nowMs);
    if (this.#isOver) {
      // Nobody wants it any more: the arena's bytes may be written again.
      arena.to = arena.from;
      return;
    }
    const { list } = this.#waiting,
      before = list.count;
    try {
      this.#waiting.scan(arena, (type, bytes, start, end) => this.#onControl(type, bytes, start, end));
    } catch (error) {
      this.#fail(error as Error);
      return;
    }
    // Keepalives that want an answer get one at once, whether anybody calls `next` or not.
    if (this.#status.see(list, before, arena.bytes)) this.#answer();
    this.#waiting.makeRoom(arena);
    if (!this.#waiting.isEmpty) this.#notifier.notify();
    if (this.#waiting.isFull) {
      this.#isFull = true;
      this.#connection.pause();
      return;
    }
    const restMs = this.#pace.restAfter(n, nowMs);
    if (restMs > 0 && !filled) this.#rest(restMs);
  }

  #answer(): void {
    switch (this.#shutdown.asked(this.#settings.clock.now())) {
      case 'now':
        this.#status.send(false);
        return;
      case 'later':
        this.#status.sendSoon();
        return;
      case 'leave':
        this.#fail(this.#unreachable('it shuts down'));
    }
  }

  #rest(ms: number): void {
    this.#isResting = true;
    this.#pace.rest();
    this.#connection.pause();
    void this.#settings.clock.sleep(ms, this.#ended.signal).then(() => {
      this.#isResting = false;
      this.#resume();
    });
  }

  #resume(): void {
    if (this.#isResting || this.#isFull || this.#isOver) return;
    this.#peer.listen();
    this.#connection.resume();
  }

  #take(): Frames | null {
    const frames = this.#waiting.take(this.#connection.arena.bytes);
    if (frames !== null && this.#isFull && !this.#waiting.isFull) {
      this.#isFull = false;
      this.#resume();
    }
    return frames;
  }

  // -- messages that are no data ---------------------------------------------------------------------------------------------

  #onControl(type: string, bytes: Buffer, start: number, end: number): void {
    const control = readControl(type, bytes, start, end);
    switch (control?.kind) {
      case 'started':
        this.#hasStarted = true;
        this.#notifier.notify();
        return;
      case 'failed':
        this.#fail(control.error ?? this.#unreachable('the server ended the stream'));
        return;
      case 'notice':
        this.#settings.logger.debug('a notice of the server', { notice: control.text });
        return;
      default:
    }
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
}
