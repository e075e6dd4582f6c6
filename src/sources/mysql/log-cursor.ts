// Where in which file the stream is. Servers say it in three ways: at the end of each event, in ROTATE and heartbeats, and not at all
// (MariaDB inside of transactions, and events that are made up for this connection).

import type { BinlogEvent, HeartbeatEvent } from './binlog/events.ts';
import { parseFileName } from './position.ts';

const FIRST_POSITION = 4;
const TWO_32 = 0x1_0000_0000;

export class LogCursor {
  #file = { base: '', number: 0 };
  #position = FIRST_POSITION;
  #eventPosition = FIRST_POSITION;

  get file(): { readonly base: string; readonly number: number } {
    return this.#file;
  }
  /** The server has said which file it sends. */
  get isKnown(): boolean {
    return this.#file.number > 0;
  }
  /** Behind the event that was read last. */
  get position(): number {
    return this.#position;
  }
  /** Where the event that is read begins. */
  get eventPosition(): number {
    return this.#eventPosition;
  }

  enter(file: { readonly base: string; readonly number: number }, position: number): void {
    this.#file = file;
    this.#position = position;
  }

  /** Events that the server makes up for this connection are not in the file. */
  moveBefore({ header, kind }: BinlogEvent, isInTransaction: boolean): void {
    this.#eventPosition = this.#position;
    if (kind === 'rotate' || kind === 'heartbeat' || header.nextPosition === 0) {
      // MariaDB says no position inside of transactions.
      if (kind !== 'rotate' && kind !== 'heartbeat' && header.timestamp !== 0 && isInTransaction) this.#position += header.length;
      return;
    }
    if (kind === 'format_description') {
      // At the beginning of a file it is there; else it was made up for us.
      if (this.#position === FIRST_POSITION && header.nextPosition < FIRST_POSITION + 2 * header.length)
        this.#position = header.nextPosition;
      return;
    }
    // Modulo 2^32, and only ever forward: what is not sent lies in between.
    const next = this.#position + ((((header.nextPosition - this.#position) % TWO_32) + TWO_32) % TWO_32);
    this.#position = next;
    this.#eventPosition = next - header.length;
  }

  /** `false`: it says nothing of this file. */
  pass({ file, position }: HeartbeatEvent): boolean {
    const name = parseFileName(file);
    if (name === null || name.number !== this.#file.number) return false;
    if (position > this.#position) this.#position = position;
    return true;
  }
}
