// Events that are neither rows, statements nor GTIDs: where the stream stands and what ends a transaction.

import type { EventHeader, HeartbeatEvent, IncidentEvent, RotateEvent, RowsQueryEvent, XaPrepareEvent, XidEvent } from './events.ts';
import { ARTIFICIAL_FLAG } from './events.ts';
import type { EventReader } from './reader.ts';

export function decodeRotate(header: EventHeader, r: EventReader): RotateEvent {
  const position = r.uint64('the position'),
    file = r.rest();
  return { kind: 'rotate', header, file, position, artificial: (header.flags & ARTIFICIAL_FLAG) !== 0 || header.timestamp === 0 };
}

export function decodeXid(header: EventHeader, r: EventReader): XidEvent {
  return { kind: 'xid', header, xid: r.bigUint64('the transaction id') };
}

/** An empty part is spelled `X''`. */
const hex = (bytes: Buffer): string => `X'${bytes.toString('hex')}'`;

export function decodeXaPrepare(header: EventHeader, r: EventReader): XaPrepareEvent {
  const onePhase = r.byte('the kind of commit') !== 0,
    format = r.int32('the format of the XID'),
    globalLength = r.int32('the length of the XID'),
    branchLength = r.int32('the length of the branch');
  const global = r.view(globalLength, 'the XID'),
    branch = r.view(branchLength, 'the branch');
  return { kind: 'xa_prepare', header, onePhase, xid: `${hex(global)},${hex(branch)},${format}` };
}

/** HEARTBEAT: the file's name and nothing else; the position is the header's. */
export function decodeHeartbeat(header: EventHeader, r: EventReader): HeartbeatEvent {
  return { kind: 'heartbeat', header, file: r.rest(), position: header.nextPosition };
}

const FILE_FIELD = 1,
  POSITION_FIELD = 2;

/** HEARTBEAT_V2, for files beyond 4 GiB: fields with a type and a length, ended by a zero. */
export function decodeHeartbeatV2(header: EventHeader, r: EventReader): HeartbeatEvent {
  let file = '',
    position = header.nextPosition;
  while (r.left > 0) {
    const type = r.packedInteger('the type of a field');
    if (type === 0) break;
    const field = r.part(r.packedInteger('the length of a field'), 'a field');
    if (type === FILE_FIELD) file = field.rest();
    else if (type === POSITION_FIELD) position = field.packedInteger('the position');
  }
  return { kind: 'heartbeat', header, file, position };
}

/** ROWS_QUERY: a length, of which only the low byte is kept, and the text. */
export function decodeRowsQuery(header: EventHeader, r: EventReader): RowsQueryEvent {
  r.byte('the length');
  return { kind: 'rows_query', header, sql: r.rest() };
}

/** ANNOTATE_ROWS of MariaDB: the text alone. */
export function decodeAnnotateRows(header: EventHeader, r: EventReader): RowsQueryEvent {
  return { kind: 'rows_query', header, sql: r.rest() };
}

export function decodeIncident(header: EventHeader, r: EventReader): IncidentEvent {
  const incident = r.uint16('the number of the incident');
  return { kind: 'incident', header, incident, message: r.left === 0 ? '' : r.text(r.byte('the length'), 'the message') };
}
