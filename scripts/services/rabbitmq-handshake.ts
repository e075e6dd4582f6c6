// Asks a server whether it is RabbitMQ and ready: the header of AMQP 0-9-1, then what the server says of itself before a login.
// https://www.rabbitmq.com/amqp-0-9-1-reference#connection.start

import { connect } from 'node:net';
import type { Handshake } from './definition.ts';

const TIMEOUT_MS = 5_000;
const HEADER = Buffer.from([0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1]);

/** Resolves when RabbitMQ answers: it listens once it has its data. */
export function rabbitmqHandshake(url: string): Promise<Handshake> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(port === '' ? 5672 : Number(port), hostname.replace(/^\[|\]$/g, '') || 'localhost', () => socket.write(HEADER));
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
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      finish(judgeStart(text));
    });
  });
}

/** Of the frame Connection.Start, as latin1; `null`: not enough yet. */
export function judgeStart(text: string): Handshake | Error | null {
  if (text.length < 11) return null;
  if (text.charCodeAt(0) !== 1 || text.slice(7, 11) !== '\0\n\0\n') return new Error('it does not speak AMQP 0-9-1');
  const size = Buffer.from(text.slice(3, 7), 'latin1').readUInt32BE();
  if (text.length < size + 8) return null;
  if (!text.includes('RabbitMQ')) return new Error('it speaks AMQP 0-9-1, but does not call itself RabbitMQ');
  // A field of the table: length and name, S, length and text.
  const [, field] = text.split('versionS\0\0\0', 2);
  return { version: /^[\s\S](\d+(?:\.\d+)+)/.exec(field ?? '')?.[1] ?? null };
}
