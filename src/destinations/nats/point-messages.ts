// The lane's points in their subject of the stream: read, and replaced only where they are still those that were read. The server
// compares sequences, which fences: whoever writes first makes all others stale, messages on their way among them.
// https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-50.md

import type { MsgHdrs } from '@nats-io/transport-node';
import type { Session } from '../../systems/nats/connections.ts';
import { problemOf } from '../../systems/nats/driver-errors.ts';
import { headerOf } from '../../systems/nats/header.ts';
import { parsePubAck } from '../../systems/nats/pub-ack.ts';
import { formatPoints, NO_POINTS, parsePoints, type StoredPoints } from './point-record.ts';
import type { StreamFacts } from './stream.ts';

export interface HeldPoints {
  /** Of their message; 0: there is none. */
  readonly sequence: number;
  readonly stored: StoredPoints;
}

export class PointMessages {
  readonly subject: string;
  readonly #timeoutMs: number;

  constructor(subject: string, timeoutMs: number) {
    this.subject = subject;
    this.#timeoutMs = timeoutMs;
  }

  /** By the stream's leader. Nothing where there is no stream. */
  async read({ connected }: Session, stream: string): Promise<HeldPoints> {
    try {
      const message = await connected.jsm.streams.getMessage(stream, { last_by_subj: this.subject });
      if (message === null) return { sequence: 0, stored: NO_POINTS };
      return { sequence: message.seq, stored: parsePoints(message.data, this.subject) };
    } catch (error) {
      if (problemOf(error).kind === 'no_stream') return { sequence: 0, stored: NO_POINTS };
      throw error;
    }
  }

  /** Replaces what was `held`. An error of kind `wrong_sequence`: somebody else has. */
  async replace({ connected }: Session, stream: StreamFacts, held: HeldPoints, next: StoredPoints): Promise<HeldPoints> {
    const headers = this.header(stream, held, '');
    const answer = await connected.nc.request(this.subject, formatPoints(next), { timeout: this.#timeoutMs, headers });
    return { sequence: parsePubAck(answer.data).sequence, stored: next };
  }

  /** Of the message that takes the place of `held`, alone or at the end of a batch. */
  header({ name, hasMaxAge }: StreamFacts, { sequence }: HeldPoints, more: string): MsgHdrs {
    return headerOf(
      `Nats-Expected-Stream: ${name}\r\nNats-Expected-Last-Subject-Sequence: ${sequence}\r\nNats-Rollup: sub\r\n${hasMaxAge ? 'Nats-TTL: never\r\n' : ''}${more}`,
    );
  }
}
