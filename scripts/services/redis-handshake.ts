// Asks a server whether it is Redis and ready: AUTH with the password of the URL, then INFO.
// https://redis.io/docs/latest/develop/reference/protocol-spec/

import { connect } from 'node:net';
import type { Handshake } from './definition.ts';

const TIMEOUT_MS = 5_000;

/** Resolves when Redis answers and has its data; rejects while it loads and for anything else. */
export function redisHandshake(url: string): Promise<Handshake> {
  const { hostname, port, username, password } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(port === '' ? 6379 : Number(port), hostname.replace(/^\[|\]$/g, '') || 'localhost');
    let text = '';
    const finish = (outcome: Handshake | Error | null): void => {
      if (outcome === null) return;
      socket.destroy();
      if (outcome instanceof Error) reject(outcome);
      else resolve(outcome);
    };
    socket.setTimeout(TIMEOUT_MS, () => finish(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    socket.on('error', (error) => finish(error));
    socket.on('close', () => finish(new Error('the connection was closed without an answer')));
    socket.on('connect', () => {
      const login = [username, password].filter((part) => part !== '').map(decodeURIComponent);
      socket.write(`${login.length === 0 ? '' : command('AUTH', ...login)}${command('INFO', 'server')}`);
    });
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      finish(judge(text));
    });
  });
}

const command = (...words: string[]): string => `*${words.length}\r\n${words.map((w) => `$${Buffer.byteLength(w)}\r\n${w}\r\n`).join('')}`;

/** `null`: not enough yet. */
export function judge(text: string): Handshake | Error | null {
  const error = /^-(.*)\r\n/m.exec(text);
  if (error !== null) return new Error(error[1]);
  const version = /^redis_version:(.*)\r\n/m.exec(text);
  if (version !== null) return { version: version[1] ?? null };
  return /^[+$]/.test(text) || text === '' ? null : new Error('it does not speak the protocol of Redis');
}
