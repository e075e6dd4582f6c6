// The commands of a consumer group. https://redis.io/docs/latest/develop/data-types/streams/#consumer-groups

import type { Client } from '../../systems/redis/client.ts';
import { isServerError } from '../../systems/redis/driver-errors.ts';
import { type Entry, parseEntries, parseStreams } from './entries.ts';

/** Ids in one command. */
const MOST_IDS = 1000;

export interface GroupNames {
  readonly stream: string;
  readonly group: string;
  readonly consumer: string;
}

export interface Claimed {
  readonly entries: readonly Entry[];
  /** `0-0`: all were looked at. */
  readonly next: string;
}

export interface GroupInfo {
  readonly pending: number;
  /** Entries not delivered to anybody yet; `null`: the server cannot tell. */
  readonly lag: number | null;
}

export class Group {
  readonly #n: GroupNames;

  constructor(names: GroupNames) {
    this.#n = names;
  }

  /** Makes the group, and the stream, unless it is there. `true`: it was not. */
  async create(client: Client, from: '0' | '$'): Promise<boolean> {
    try {
      await client.call('XGROUP', ['CREATE', this.#n.stream, this.#n.group, from, 'MKSTREAM']);
      return true;
    } catch (error) {
      if (isServerError(error) && error.message.startsWith('BUSYGROUP')) return false;
      throw error;
    }
  }

  /** What nobody has got yet. `blockMs` 0: what is there. */
  async readNew(client: Client, count: number, blockMs: number): Promise<Entry[]> {
    return parseStreams(await this.#read(client, count, blockMs > 0 ? ['BLOCK', blockMs] : [], '>'));
  }

  /** What this consumer got and did not finish, behind an id. */
  async readPending(client: Client, count: number, after: string): Promise<Entry[]> {
    return parseStreams(await this.#read(client, count, [], after));
  }

  /** Takes over what was left unfinished for `idleMs`. https://redis.io/docs/latest/commands/xautoclaim/ */
  async claim(client: Client, idleMs: number, from: string, count: number): Promise<Claimed> {
    const { stream, group, consumer } = this.#n;
    const [next, entries] = (await client.callBuffer('XAUTOCLAIM', [stream, group, consumer, idleMs, from, 'COUNT', count])) as [
      Buffer,
      unknown,
    ];
    return { next: next.toString(), entries: parseEntries(entries) };
  }

  async acknowledge(client: Client, ids: readonly string[]): Promise<void> {
    for (const some of chunks(ids)) await client.call('XACK', [this.#n.stream, this.#n.group, ...some]);
  }

  /** Says that they are still worked on: nobody takes them over. */
  async keep(client: Client, ids: readonly string[]): Promise<void> {
    const { stream, group, consumer } = this.#n;
    for (const some of chunks(ids)) await client.call('XCLAIM', [stream, group, consumer, 0, ...some, 'JUSTID']);
  }

  /** How often each of these entries, which are ours and in order, was delivered. */
  async deliveries(client: Client, entries: readonly Entry[]): Promise<ReadonlyMap<string, number>> {
    const [first, last] = [entries[0], entries.at(-1)];
    if (first === undefined || last === undefined) return new Map();
    const { stream, group, consumer } = this.#n;
    const counts = new Map<string, number>();
    // Others of ours may lie between them.
    for (let from = first.id; ; ) {
      const rows = (await client.call('XPENDING', [stream, group, from, last.id, MOST_IDS, consumer])) as [
        string,
        string,
        number,
        number,
      ][];
      for (const [id, , , count] of rows) counts.set(id, count);
      const end = rows.at(-1)?.[0];
      if (end === undefined || rows.length < MOST_IDS) return counts;
      from = `(${end}`;
    }
  }

  async info(client: Client): Promise<GroupInfo | null> {
    const groups = (await client.call('XINFO', ['GROUPS', this.#n.stream])) as readonly (readonly unknown[])[];
    for (const flat of groups) {
      const fields = new Map(flat.flatMap((name, i) => (i % 2 === 0 ? [[String(name), flat[i + 1]] as const] : [])));
      if (fields.get('name') !== this.#n.group) continue;
      const lag = fields.get('lag');
      return { pending: Number(fields.get('pending')), lag: typeof lag === 'number' ? lag : null };
    }
    return null;
  }

  #read(client: Client, count: number, block: readonly (string | number)[], id: string): Promise<unknown> {
    const { stream, group, consumer } = this.#n;
    return client.callBuffer('XREADGROUP', ['GROUP', group, consumer, 'COUNT', count, ...block, 'STREAMS', stream, id]);
  }
}

function chunks(ids: readonly string[]): string[][] {
  return Array.from({ length: Math.ceil(ids.length / MOST_IDS) }, (_, i) => ids.slice(i * MOST_IDS, (i + 1) * MOST_IDS));
}
