// A message as the server delivers it, and what its acknowledgement's subject says of it. Pure.
// https://docs.nats.io/reference/reference-protocols/nats_api_reference#acknowledging-messages
//
// | reply subject | means |
// |---|---|
// | `$JS.ACK.CDC.reader.1.7.3.1700000000000000000.0` | stream CDC, delivered once, sequence 7, time, nothing behind it |
// | `$JS.ACK.hub.ACHASH.CDC.reader.1.7.3.1700000000000000000.0.x` | the same with a domain and an account |

import type { MsgHdrs } from '@nats-io/transport-node';
import type { Message } from '../../formats/messages.ts';
import { isReserved, KEY, KEY_BASE64 } from '../../systems/nats/header.ts';

/** Finished. */
export const ACK = Buffer.from('+ACK'),
  /** Still under way. */
  IN_PROGRESS = Buffer.from('+WPI'),
  /** Not ours any more. After a moment: what comes back while nobody waits for it servers before 2.10 deliver twice, or late. */
  GIVE_BACK = Buffer.from('-NAK {"delay": 100000000}');

export interface Delivered {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: MsgHdrs | undefined;
  /** Subject that finishes it. */
  readonly reply: string;
  /** In the stream. */
  readonly sequence: number;
  /** How often it was delivered, this time among them. */
  readonly deliveries: number;
  readonly timestampMs: number;
}

/** `null`: the reply is no acknowledgement of JetStream. */
export function parseReply(reply: string): Pick<Delivered, 'sequence' | 'deliveries' | 'timestampMs'> | null {
  const parts = reply.split('.');
  // Later servers may add words at the end.
  const at = parts.length === 9 ? 4 : parts.length >= 11 ? 6 : -1;
  if (at === -1 || parts[0] !== '$JS' || parts[1] !== 'ACK') return null;
  const time = parts[at + 3] as string;
  return { deliveries: Number(parts[at]), sequence: Number(parts[at + 1]), timestampMs: Number(time.slice(0, -6)) };
}

/** Of its payload and headers, about. */
export const sizeOf = ({ subject, data, headers }: Pick<Delivered, 'subject' | 'data' | 'headers'>): number =>
  subject.length + data.length + (headers === undefined ? 0 : 64);

/** As the formats want it. An empty payload is no value: the tombstone of a key. */
export function messageOf({ subject, data, headers }: Pick<Delivered, 'subject' | 'data' | 'headers'>): Message {
  return {
    topic: subject,
    key: headers === undefined ? null : keyOf(headers),
    value: data.length === 0 ? null : data,
    headers: headers === undefined ? null : ownHeaders(headers),
  };
}

function keyOf(headers: MsgHdrs): Uint8Array | null {
  if (headers.has(KEY)) return Buffer.from(headers.get(KEY));
  return headers.has(KEY_BASE64) ? Buffer.from(headers.get(KEY_BASE64), 'base64') : null;
}

/** Those of the producer: not the server's, and not ours. */
function ownHeaders(headers: MsgHdrs): Record<string, string> | null {
  let own: Record<string, string> | null = null;
  for (const name of headers.keys()) {
    if (isReserved(name)) continue;
    own ??= {};
    own[name] = headers.get(name);
  }
  return own;
}
