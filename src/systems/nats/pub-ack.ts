// The server's answer to a message for a stream. Pure.
// `{"stream":"CDC","seq":7}` · `{"stream":"CDC","seq":7,"duplicate":true}` · `{"error":{"code":503,"err_code":10077,"description":"…"},…}`

import { ApiError } from './driver-errors.ts';

export interface PubAck {
  readonly stream: string;
  readonly sequence: number;
  readonly isDuplicate: boolean;
}

interface RawAck {
  readonly stream?: string;
  readonly seq?: number;
  readonly duplicate?: boolean;
  readonly error?: { readonly err_code?: number; readonly code?: number; readonly description?: string };
}

/** Throws `ApiError`. */
export function parsePubAck(data: Uint8Array): PubAck {
  const { stream, seq, duplicate, error } = JSON.parse(Buffer.from(data).toString()) as RawAck;
  if (error !== undefined) throw new ApiError(error.err_code ?? error.code ?? 0, error.description ?? 'no reason given');
  if (stream === undefined || seq === undefined) throw new ApiError(0, 'the answer is no acknowledgement');
  return { stream, sequence: seq, isDuplicate: duplicate === true };
}

const ERROR = Buffer.from('"error"');

/** A cheaper look for the many: is it a plain yes? */
export function isYes(data: Uint8Array): boolean {
  const bytes = data instanceof Buffer ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return bytes.length > 0 && bytes[0] === 0x7b && !bytes.includes(ERROR);
}
