import { EventEmitter } from 'node:events';
import type { Connection } from 'pg';
import { expect, it } from 'vitest';
import { RowQuery } from '../../../../src/sources/postgresql/row-query.ts';

function message(type: string, body: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(4 + body.length);
  return Buffer.concat([Buffer.from(type), length, Buffer.from(body)]);
}

/** The driver's side: what it sends, and which messages it is told of. */
class FakeConnection {
  readonly sent: string[] = [];
  readonly told: string[] = [];
  readonly paused: boolean[] = [];
  query: RowQuery | null = null;
  readonly stream = Object.assign(new EventEmitter(), {
    cork: () => {},
    uncork: () => {},
    pause: () => this.paused.push(true),
    resume: () => this.paused.push(false),
    destroy: () => this.sent.push('destroyed'),
  });

  constructor() {
    this.stream.on('data', this.driver);
  }
  /** Reads whole messages, as the driver does with what it gets in pieces. */
  readonly driver = (bytes: Buffer): void => {
    this.rest = Buffer.concat([this.rest, bytes]);
    while (this.rest.length >= 5 && this.rest.length > this.rest.readInt32BE(1)) {
      const end = 1 + this.rest.readInt32BE(1),
        type = this.rest.toString('latin1', 0, 1);
      const body = this.rest.toString('latin1', 5, end);
      this.rest = this.rest.subarray(end);
      this.told.push(type);
      if (type === 'E') this.query?.handleError(new Error(body));
      if (type === 'Z' && !this.told.includes('E')) this.query?.handleReadyForQuery();
    }
  };
  rest = Buffer.alloc(0);
  parse({ text }: { text: string }): void {
    this.sent.push(`parse ${text}`);
  }
  bind(): void {
    this.sent.push('bind');
  }
  execute(): void {
    this.sent.push('execute');
  }
  sync(): void {
    this.sent.push('sync');
  }
}

/** Feeds the bytes in pieces of `size`. */
async function play(bytes: Buffer, size: number) {
  const connection = new FakeConnection(),
    query = new RowQuery('SELECT 1');
  connection.query = query;
  query.submit(connection as unknown as Connection);
  const rows: string[] = [];
  const reading = (async () => {
    for await (const { bytes: from, starts, ends, count } of query.frames()) {
      for (let i = 0; i < count; i++) rows.push(from.toString('latin1', starts[i], ends[i]));
    }
  })();
  for (let at = 0; at < bytes.length; at += size) {
    connection.stream.emit('data', bytes.subarray(at, at + size));
    await Promise.resolve();
  }
  const error = await reading.then(
    () => null,
    (e: Error) => e.message,
  );
  return { connection, rows, error };
}

const BEGIN = [message('1', ''), message('2', '')],
  END = [message('C', 'SELECT 3\0'), message('Z', 'I')];
const ROWS = ['first', '', 'third'];

it.each([1, 2, 7, 1000])('hands out the rows, cut anywhere (%i bytes at a time), and the rest to the driver', async (size) => {
  const bytes = Buffer.concat([...BEGIN, ...ROWS.map((row) => message('D', row)), ...END]);
  const { connection, rows, error } = await play(bytes, size);
  expect({ rows, error, sent: connection.sent, told: connection.told }).toEqual({
    rows: ROWS,
    error: null,
    sent: ['parse SELECT 1', 'bind', 'execute', 'sync'],
    told: ['C', 'Z'],
  });
  expect(connection.stream.listeners('data')).toEqual([connection.driver]);
});

it.each([1, 3, 1000])('throws what the server says behind the rows before it (%i bytes at a time)', async (size) => {
  const bytes = Buffer.concat([...BEGIN, message('D', 'first'), message('E', 'broken'), message('Z', 'E'), message('N', 'later')]);
  const { connection, rows, error } = await play(bytes, size);
  expect({ rows, error, told: connection.told }).toEqual({ rows: ['first'], error: 'broken', told: ['E', 'Z', 'N'] });
  expect(connection.stream.listeners('data')).toEqual([connection.driver]);
});

it('passes a row larger than what it reads into', async () => {
  const large = 'x'.repeat(3_000_000);
  const { rows } = await play(Buffer.concat([...BEGIN, message('D', 'a'), message('D', large), message('D', 'b'), ...END]), 65_536);
  expect(rows.map((r) => r.length)).toEqual([1, large.length, 1]);
});

it('gives the connection up when what comes is no message', async () => {
  const { connection, rows, error } = await play(Buffer.concat([message('D', 'a'), Buffer.from([0, 1, 2, 3, 4, 5])]), 1000);
  expect({ rows, sent: connection.sent.at(-1) }).toEqual({ rows: ['a'], sent: 'destroyed' });
  expect(error).toContain('no message begins with byte 0');
});

it('pauses the socket while nobody takes what has come', async () => {
  const connection = new FakeConnection(),
    query = new RowQuery('SELECT 1');
  query.submit(connection as unknown as Connection);
  const row = message('D', 'x'.repeat(60_000)),
    frames = query.frames();
  for (let i = 0; i < 20; i++) connection.stream.emit('data', row);
  expect(connection.paused).toContain(true);
  let taken = 0;
  while (taken < 20) taken += (await frames.next()).value?.count ?? 0;
  expect(connection.paused.at(-1)).toBe(false);
});
