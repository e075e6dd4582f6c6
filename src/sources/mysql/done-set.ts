// Which transactions are done, as the stream goes on: for MySQL a set, for MariaDB a position per domain, or nothing where the server
// does not count. Its text stands in every place, so it is made once per transaction and not per row.

import type { GtidEvent, MariadbGtidEvent } from './binlog/events.ts';
import { MariadbGtidPosition, MysqlGtidSet } from './gtid-set.ts';

export interface DoneSet {
  /** `null`: not known. */
  readonly text: string | null;
  /** The transaction that begins; `null` where it has no id. */
  idOf(event: GtidEvent | MariadbGtidEvent): string | null;
  /** The transaction that `idOf` was asked about last is done. */
  add(): void;
  contains(event: GtidEvent | MariadbGtidEvent): boolean;
}

class MysqlDone implements DoneSet {
  readonly #set: MysqlGtidSet;
  #text: string | null;
  #last: GtidEvent['gtid'] = null;

  constructor(text: string) {
    this.#set = MysqlGtidSet.parse(text) ?? new MysqlGtidSet();
    this.#text = this.#set.toString();
  }

  get text(): string {
    this.#text ??= this.#set.toString();
    return this.#text;
  }

  idOf(event: GtidEvent | MariadbGtidEvent): string | null {
    this.#last = event.kind === 'gtid' ? event.gtid : null;
    if (this.#last === null) return null;
    const { uuid, tag, gno } = this.#last;
    return tag === '' ? `${uuid}:${gno}` : `${uuid}:${tag}:${gno}`;
  }

  add(): void {
    if (this.#last === null) return;
    this.#set.add(this.#last.uuid, this.#last.tag, this.#last.gno);
    this.#last = null;
    this.#text = null;
  }

  contains(event: GtidEvent | MariadbGtidEvent): boolean {
    return event.kind === 'gtid' && event.gtid !== null && this.#set.contains(event.gtid.uuid, event.gtid.tag, event.gtid.gno);
  }
}

class MariadbDone implements DoneSet {
  readonly #position: MariadbGtidPosition;
  #text: string | null = null;
  #last: MariadbGtidEvent | null = null;

  constructor(text: string) {
    this.#position = MariadbGtidPosition.parse(text) ?? new MariadbGtidPosition();
  }

  get text(): string {
    this.#text ??= this.#position.toString();
    return this.#text;
  }

  idOf(event: GtidEvent | MariadbGtidEvent): string | null {
    this.#last = event.kind === 'mariadb_gtid' ? event : null;
    return this.#last === null ? null : `${this.#last.domain}-${this.#last.server}-${this.#last.sequence}`;
  }

  add(): void {
    if (this.#last === null) return;
    this.#position.add(this.#last);
    this.#last = null;
    this.#text = null;
  }

  contains(event: GtidEvent | MariadbGtidEvent): boolean {
    return event.kind === 'mariadb_gtid' && this.#position.contains(event);
  }
}

/** The ids are told by file and place only: nothing is known of what was done before. */
class NothingKnown implements DoneSet {
  readonly text = null;

  idOf(event: GtidEvent | MariadbGtidEvent): string | null {
    if (event.kind === 'mariadb_gtid') return `${event.domain}-${event.server}-${event.sequence}`;
    if (event.gtid === null) return null;
    return `${event.gtid.uuid}:${event.gtid.tag === '' ? '' : `${event.gtid.tag}:`}${event.gtid.gno}`;
  }
  add(): void {}
  contains(): boolean {
    return false;
  }
}

/** `text`: what is done at the start; `null`: it is not known. */
export function doneSet(flavor: 'mysql' | 'mariadb', text: string | null): DoneSet {
  if (text === null) return new NothingKnown();
  return flavor === 'mysql' ? new MysqlDone(text) : new MariadbDone(text);
}
