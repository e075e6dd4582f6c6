// Sets of GTIDs. MySQL: intervals of numbers per UUID and tag, all kept, because what was done is told by membership and not by
// order. MariaDB: per domain one position, up to which everything was done.
// https://dev.mysql.com/doc/refman/8.4/en/replication-gtids-concepts.html
// https://mariadb.com/docs/server/ha-and-performance/standard-replication/gtid

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const TAG = /^[a-z_][a-z0-9_]{0,31}$/;
const INTERVAL = /^(\d{1,19})(?:-(\d{1,19}))?$/;
const SOURCE_BYTES = 16;

/** 16 bytes → `3e11fa47-71ca-11e1-9e33-c80aa9429562`. */
export function formatUuid(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, SOURCE_BYTES).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** First and last number of each interval, one after another: sorted, apart, never touching. */
type Intervals = number[];

/** Text without its numbers: `uuid` or `uuid:tag`. */
const sourceOf = (uuid: string, tag: string): string => (tag === '' ? uuid : `${uuid}:${tag}`);

export class MysqlGtidSet {
  readonly #sources = new Map<string, Intervals>();

  /** `uuid:1-5:7,uuid:tag:1-3`, with blanks and line breaks, as servers print it. `null` when it is no set. */
  static parse(text: string): MysqlGtidSet | null {
    const set = new MysqlGtidSet();
    for (const part of text.toLowerCase().replaceAll(/\s/g, '').split(',')) {
      if (part === '') continue;
      const [uuid = '', ...items] = part.split(':');
      if (!UUID.test(uuid) || items.length === 0 || !set.#parseItems(uuid, items)) return null;
    }
    return set;
  }

  #parseItems(uuid: string, items: readonly string[]): boolean {
    let tag = '';
    for (const item of items) {
      const match = INTERVAL.exec(item);
      if (match === null) {
        if (!TAG.test(item)) return false;
        tag = item;
        continue;
      }
      const first = Number(match[1]),
        last = match[2] === undefined ? first : Number(match[2]);
      if (!Number.isSafeInteger(first) || !Number.isSafeInteger(last) || first < 1) return false;
      // The server takes an empty interval, and leaves it out.
      if (last >= first) this.addInterval(uuid, tag, first, last);
    }
    return true;
  }

  add(uuid: string, tag: string, gno: number): void {
    const intervals = this.#sources.get(sourceOf(uuid, tag)),
      last = intervals === undefined ? 0 : (intervals[intervals.length - 1] as number);
    // Nearly all follow the one before.
    if (intervals !== undefined && gno === last + 1) intervals[intervals.length - 1] = gno;
    else this.addInterval(uuid, tag, gno, gno);
  }

  addInterval(uuid: string, tag: string, first: number, last: number): void {
    const source = sourceOf(uuid, tag),
      intervals = this.#sources.get(source);
    if (intervals === undefined) {
      this.#sources.set(source, [first, last]);
      return;
    }
    // All that overlap the new one or touch it become one with it.
    let from = 0;
    while (from < intervals.length && (intervals[from + 1] as number) < first - 1) from += 2;
    let to = from,
      low = first,
      high = last;
    for (; to < intervals.length && (intervals[to] as number) <= last + 1; to += 2) {
      low = Math.min(low, intervals[to] as number);
      high = Math.max(high, intervals[to + 1] as number);
    }
    intervals.splice(from, to - from, low, high);
  }

  addSet(other: MysqlGtidSet): void {
    for (const [source, intervals] of other.#sources) {
      const [uuid = '', tag = ''] = source.split(':');
      for (let i = 0; i < intervals.length; i += 2) this.addInterval(uuid, tag, intervals[i] as number, intervals[i + 1] as number);
    }
  }

  contains(uuid: string, tag: string, gno: number): boolean {
    return holds(this.#sources.get(sourceOf(uuid, tag)) ?? [], gno, gno);
  }

  containsSet(other: MysqlGtidSet): boolean {
    for (const [source, intervals] of other.#sources) {
      const ours = this.#sources.get(source) ?? [];
      for (let i = 0; i < intervals.length; i += 2) if (!holds(ours, intervals[i] as number, intervals[i + 1] as number)) return false;
    }
    return true;
  }

  /** What is here and not there. */
  minus(other: MysqlGtidSet): MysqlGtidSet {
    const rest = new MysqlGtidSet();
    for (const [source, intervals] of this.#sources) {
      const theirs = other.#sources.get(source) ?? [],
        [uuid = '', tag = ''] = source.split(':');
      for (let i = 0; i < intervals.length; i += 2) {
        let first = intervals[i] as number;
        const last = intervals[i + 1] as number;
        for (let k = 0; k < theirs.length && first <= last; k += 2) {
          const low = theirs[k] as number,
            high = theirs[k + 1] as number;
          if (high < first || low > last) continue;
          if (low > first) rest.addInterval(uuid, tag, first, low - 1);
          first = high + 1;
        }
        if (first <= last) rest.addInterval(uuid, tag, first, last);
      }
    }
    return rest;
  }

  /** How many GTIDs it has. */
  get size(): number {
    let size = 0;
    for (const intervals of this.#sources.values())
      for (let i = 0; i < intervals.length; i += 2) size += (intervals[i + 1] as number) - (intervals[i] as number) + 1;
    return size;
  }

  get isEmpty(): boolean {
    return this.#sources.size === 0;
  }

  copy(): MysqlGtidSet {
    const copy = new MysqlGtidSet();
    for (const [source, intervals] of this.#sources) copy.#sources.set(source, [...intervals]);
    return copy;
  }

  #sorted(): [source: string, intervals: Intervals][] {
    return [...this.#sources].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** As servers print it, without line breaks: UUIDs in order, the tags of one after its numbers without. Equal sets have equal text. */
  toString(): string {
    let text = '',
      lastUuid = '';
    for (const [source, intervals] of this.#sorted()) {
      const [uuid = '', tag] = source.split(':');
      if (uuid !== lastUuid) text += text === '' ? uuid : `,${uuid}`;
      lastUuid = uuid;
      if (tag !== undefined) text += `:${tag}`;
      for (let i = 0; i < intervals.length; i += 2)
        text += intervals[i] === intervals[i + 1] ? `:${intervals[i]}` : `:${intervals[i]}-${intervals[i + 1]}`;
    }
    return text;
  }

  /** The set as COM_BINLOG_DUMP_GTID has it; with tags in the form that servers since 8.3 know. */
  encode(): Buffer {
    const sources = this.#sorted(),
      isTagged = sources.some(([source]) => source.includes(':')),
      count = BigInt(sources.length),
      parts = [uint64(isTagged ? (1n << 56n) | (count << 8n) | 1n : count)];
    for (const [source, intervals] of sources) {
      const [uuid = '', tag = ''] = source.split(':');
      parts.push(Buffer.from(uuid.replaceAll('-', ''), 'hex'));
      // The length is a varint of one byte: at most 32.
      if (isTagged) parts.push(Buffer.from([tag.length << 1]), Buffer.from(tag, 'latin1'));
      parts.push(uint64(BigInt(intervals.length / 2)));
      for (let i = 0; i < intervals.length; i += 2)
        parts.push(uint64(BigInt(intervals[i] as number)), uint64(BigInt(intervals[i + 1] as number) + 1n));
    }
    return Buffer.concat(parts);
  }
}

function uint64(n: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(n);
  return bytes;
}

/** Is the whole interval within one of these? By halving: a set may have many. */
function holds(intervals: Intervals, first: number, last: number): boolean {
  let low = 0,
    high = intervals.length / 2;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((intervals[middle * 2 + 1] as number) < first) low = middle + 1;
    else high = middle;
  }
  return low * 2 < intervals.length && (intervals[low * 2] as number) <= first && last <= (intervals[low * 2 + 1] as number);
}

const MARIADB_GTID = /^(\d{1,10})-(\d{1,10})-(\d{1,19})$/;
const MAX_UINT32 = 0xffff_ffff;

export interface MariadbGtid {
  readonly domain: number;
  readonly server: number;
  readonly sequence: number;
}

export class MariadbGtidPosition {
  readonly #domains = new Map<number, MariadbGtid>();

  /** `0-1-100,1-2-5`; `null` when it is no position, or has a domain twice. */
  static parse(text: string): MariadbGtidPosition | null {
    const position = new MariadbGtidPosition();
    for (const part of text.replaceAll(/\s/g, '').split(',')) {
      if (part === '') continue;
      const match = MARIADB_GTID.exec(part),
        [domain, server, sequence] = [Number(match?.[1]), Number(match?.[2]), Number(match?.[3])];
      if (match === null || domain > MAX_UINT32 || server > MAX_UINT32 || !Number.isSafeInteger(sequence)) return null;
      if (position.#domains.has(domain)) return null;
      position.add({ domain, server, sequence });
    }
    return position;
  }

  /** The last transaction of its domain. */
  add(gtid: MariadbGtid): void {
    this.#domains.set(gtid.domain, { domain: gtid.domain, server: gtid.server, sequence: gtid.sequence });
  }

  get(domain: number): MariadbGtid | null {
    return this.#domains.get(domain) ?? null;
  }

  /** Within a domain numbers grow, whichever server gives them (`gtid_strict_mode`). */
  contains({ domain, sequence }: { readonly domain: number; readonly sequence: number }): boolean {
    return sequence <= (this.#domains.get(domain)?.sequence ?? -1);
  }

  containsAll(other: MariadbGtidPosition): boolean {
    for (const gtid of other.#domains.values()) if (!this.contains(gtid)) return false;
    return true;
  }

  domains(): readonly number[] {
    return [...this.#domains.keys()].sort((a, b) => a - b);
  }

  get isEmpty(): boolean {
    return this.#domains.size === 0;
  }

  copy(): MariadbGtidPosition {
    const copy = new MariadbGtidPosition();
    for (const gtid of this.#domains.values()) copy.add(gtid);
    return copy;
  }

  /** As `@slave_connect_state` takes it, by domain. */
  toString(): string {
    return this.domains()
      .map((domain) => this.#domains.get(domain) as MariadbGtid)
      .map(({ domain, server, sequence }) => `${domain}-${server}-${sequence}`)
      .join(',');
  }
}
