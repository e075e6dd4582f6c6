// Asks a server whether it is NATS and ready: it speaks first (INFO), then takes the login and answers a PING.
// https://docs.nats.io/reference/reference-protocols/nats-protocol

import { connect } from 'node:net';
import type { Handshake } from './definition.ts';

const TIMEOUT_MS = 5_000;

/** Resolves when NATS takes the login of the URL; rejects for anything else. */
export function natsHandshake(url: string): Promise<Handshake> {
  const { hostname, port, username, password } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(port === '' ? 4222 : Number(port), hostname.replace(/^\[|\]$/g, '') || 'localhost');
    let text = '',
      isAsked = false;
    const finish = (outcome: Handshake | Error): void => {
      socket.destroy();
      if (outcome instanceof Error) reject(outcome);
      else resolve(outcome);
    };
    socket.setTimeout(TIMEOUT_MS, () => finish(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    socket.on('error', finish);
    socket.on('close', () => finish(new Error('the connection was closed without an answer')));
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      const outcome = judge(text);
      if (outcome !== null) finish(outcome);
      else if (!isAsked && text.includes('\r\n')) {
        isAsked = true;
        const login = { verbose: false, user: decodeURIComponent(username), pass: decodeURIComponent(password) };
        socket.write(`CONNECT ${JSON.stringify(login)}\r\nPING\r\n`);
      }
    });
  });
}

/** `null`: not enough yet. */
export function judge(text: string): Handshake | Error | null {
  const refusal = /^-ERR '(.*)'\r\n/m.exec(text);
  if (refusal !== null) return new Error(refusal[1]);
  if (!'INFO '.startsWith(text.slice(0, 5))) return new Error('it does not speak the protocol of NATS');
  if (!/^PONG\r\n/m.test(text)) return null;
  return { version: /"version":"([^"]+)"/.exec(text)?.[1] ?? null };
}
