// The messages of a replication stream that are ours to write and to read in passing. Pure.
// https://www.postgresql.org/docs/current/protocol-replication.html#PROTOCOL-REPLICATION-START-REPLICATION

import { lsnOf } from '../lsn.ts';

/** XLogData: what follows its 25 bytes is a message of pgoutput. */
export const XLOG_DATA = 0x77;
export const KEEPALIVE = 0x6b;
export const XLOG_HEADER_BYTES = 25;
/** The server counts microseconds from 2000-01-01. */
const EPOCH_MS = 946_684_800_000;

/** Standby status update, as a CopyData message: what is written, what is durable, whether an answer is wanted. */
export function statusUpdate(received: bigint, durable: bigint, nowMs: number, wantsReply: boolean): Buffer {
  const message = Buffer.alloc(39);
  message[0] = 0x64;
  message.writeInt32BE(38, 1);
  message[5] = 0x72;
  message.writeBigUInt64BE(received, 6);
  message.writeBigUInt64BE(durable, 14);
  message.writeBigUInt64BE(durable, 22);
  message.writeBigInt64BE(BigInt(Math.round((nowMs - EPOCH_MS) * 1000)), 30);
  message[38] = wantsReply ? 1 : 0;
  return message;
}

/** The LSN in the head of XLogData, or the end of the log in a keepalive. */
export function lsnAt(bytes: Buffer, start: number): bigint {
  return lsnOf(bytes.readUInt32BE(start + 1), bytes.readUInt32BE(start + 5));
}

/** `true`: the server ends the connection unless it hears from us soon. */
export function wantsReply(bytes: Buffer, start: number, end: number): boolean {
  return end - start >= 18 && bytes[start + 17] === 1;
}

/** A simple query: `Q`, length, text, zero. */
export function queryMessage(text: string): Buffer {
  const body = Buffer.from(`${text}\0`),
    message = Buffer.allocUnsafe(body.length + 5);
  message[0] = 0x51;
  message.writeInt32BE(body.length + 4, 1);
  body.copy(message, 5);
  return message;
}

/** CopyDone and Terminate: the server frees the slot at once. */
export const GOODBYE = Buffer.from([0x63, 0, 0, 0, 4, 0x58, 0, 0, 0, 4]);
