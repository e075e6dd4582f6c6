// A batch as messages: subject, id, headers, payload. A tombstone has an empty payload. Pure, but for what the template remembers.

import { isUtf8 } from 'node:buffer';
import { CdcError, type EncodedBatch, type LaneBatch, type WriteFailure } from '../../sdk/index.ts';
import { isHeaderName, isHeaderText, KEY, KEY_BASE64 } from '../../systems/nats/header.ts';
import { messagesOf } from '../../systems/outgoing.ts';
import { rejected } from './errors.ts';
import type { SubjectTemplate } from './subject-template.ts';

export interface Outgoing {
  /** Index into the events of the batch. */
  readonly event: number;
  readonly subject: string;
  /** Of the event, and of its record where it has several; the same when it is sent again. */
  readonly id: string;
  /** Headers beside the id: `Name: value\r\n` each. */
  readonly lines: string;
  readonly data: Uint8Array;
}

export interface EncodeOptions {
  readonly template: SubjectTemplate;
  /** Before the ids: two pipelines may have the same sources' names, and a stream knows an id once. */
  readonly scope: string;
  /** Of a message with its headers. */
  readonly maxBytes: number;
}

const NOTHING = new Uint8Array();
/** Of the headers that are added later: those of an atomic batch. */
const RESERVED_BYTES = 256;
const MAX_HEADER_BYTES = 65_535;
/** It stands in a line of 4 KiB (max_control_line), in up to three bytes a character. */
const MAX_SUBJECT = 1000;

export function encodeMessages(
  batch: LaneBatch,
  encoded: EncodedBatch,
  { template, scope, maxBytes }: EncodeOptions,
): { messages: Outgoing[]; failed: WriteFailure[] } {
  const { event, topic, value } = encoded;
  return messagesOf(batch, encoded, (change, i, nth) => {
    const id = nth === 1 ? `${scope}${change.id}` : `${scope}${change.id}#${nth}`,
      lines = linesOf(encoded, i),
      data = value[i] ?? NOTHING;
    if (lines instanceof CdcError) return lines;
    const subject = template.of(change, topic[i] as string),
      error = tooLarge(data.length, Buffer.byteLength(lines) + Buffer.byteLength(id) + RESERVED_BYTES, subject, maxBytes);
    return error ?? { event: event[i] as number, subject, id: headerId(id), lines, data };
  });
}

/** Positions hold what they like. */
const headerId = (id: string): string => (isHeaderText(id) ? id : encodeURIComponent(id));

function linesOf({ key, headers }: EncodedBatch, i: number): string | CdcError {
  const bytes = key[i] ?? null;
  let lines = '';
  if (bytes !== null) {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
      text = isUtf8(buffer) ? buffer.toString() : null;
    lines = text !== null && isHeaderText(text) ? `${KEY}: ${text}\r\n` : `${KEY_BASE64}: ${buffer.toString('base64')}\r\n`;
  }
  const own = headers[i] ?? null;
  for (const name in own) {
    const text = own[name] as string;
    if (!isHeaderName(name) || !isHeaderText(text))
      return rejected(
        `The header "${name}" cannot be a header of NATS.`,
        'Leave it out, or give it a name that does not begin with Nats-, and a value without line ends.',
      );
    lines += `${name}: ${text}\r\n`;
  }
  return lines;
}

/** What the server would refuse the whole batch for, or cut the connection. */
function tooLarge(dataBytes: number, headerBytes: number, subject: string, maxBytes: number): CdcError | null {
  if (headerBytes > MAX_HEADER_BYTES)
    return rejected(
      `Key and headers have ${headerBytes} bytes; there is room for 64 KiB.`,
      'Leave out large headers or columns of the key.',
    );
  if (subject.length > MAX_SUBJECT)
    return rejected(`The subject has ${subject.length} characters.`, 'Correct `subject`, or rename the table.');
  const bytes = dataBytes + headerBytes;
  if (bytes <= maxBytes) return null;
  return rejected(
    `A message has ${bytes} bytes with its headers, and the stream takes ${maxBytes}.`,
    'Leave out large columns, or raise max_payload of the server and max_msg_size of the stream.',
  );
}
