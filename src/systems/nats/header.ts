// Headers as bytes, made at once: the driver's own class costs more than the rest of a message. Pure.
// https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-4.md

import type { MsgHdrs } from '@nats-io/transport-node';

export const MSG_ID = 'Nats-Msg-Id',
  /** Where a repeat that is wanted carries its id: the server refuses a batch with a `Nats-Msg-Id` that it has seen lately. */
  EVENT_ID = 'Cdc-Event-Id',
  KEY = 'Cdc-Key',
  /** Of a key that is no plain text. */
  KEY_BASE64 = 'Cdc-Key-Base64';

const START = 'NATS/1.0\r\n';

/** Lines `Name: value`, each with its line end. */
export function headerOf(lines: string): MsgHdrs {
  const bytes = Buffer.from(`${START}${lines}\r\n`);
  // The driver calls nothing else of what it is given to publish.
  return { encode: () => bytes } as unknown as MsgHdrs;
}

/** Can it stand in a header as it is? */
export function isHeaderText(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what must not be there.
  return !/[\u0000-\u001f\u007f]/.test(text) && text.trim() === text;
}

/** Of the server, which obeys what it is told there (`Nats-Rollup: all` empties the stream), or one of ours. */
export const isReserved = (name: string): boolean => /^(nats-|cdc-(event-id|key|key-base64)$)/i.test(name);

/** Can a header of somebody else be called so? */
export const isHeaderName = (name: string): boolean => /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name) && !isReserved(name);
