// A server that ends in the midst of a login, which a scripted peer plays to the byte.

import { createServer, type Socket } from 'node:net';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/sdk/index.ts';
import { lend, surviveLosses } from '../../src/systems/postgresql/lending.ts';

/** A message of the server: its letter, its length, its content. https://www.postgresql.org/docs/current/protocol-message-formats.html */
function message(letter: string, content: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(content.length + 4);
  return Buffer.concat([Buffer.from(letter), length, content]);
}

const AUTHENTICATED = message('R', Buffer.alloc(4));
const READY = message('Z', Buffer.from('I'));
const GONE = message('E', Buffer.from('SFATAL\0C57P01\0Mterminating connection due to unexpected postmaster exit\0\0'));

describe('a server that ends in the midst of a login', () => {
  it('ends nobody who has just borrowed the connection: the next query says it', async () => {
    const server = createServer((socket: Socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.end(Buffer.concat([AUTHENTICATED, READY, GONE])));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const pool = new pg.Pool({ host: '127.0.0.1', port: (server.address() as { port: number }).port, ssl: false });
    surviveLosses(pool, silentLogger);
    try {
      const client = await lend(pool, null);
      await expect(client.query('SELECT 1')).rejects.toThrow();
      client.release(true);
    } finally {
      await pool.end();
      await new Promise((resolve) => server.close(resolve));
    }
  });
});
