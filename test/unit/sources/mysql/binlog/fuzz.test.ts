// Recorded events with changed, cut and doubled bytes: an event, or an error of ours; never another one, never without end.

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { JsonWriter } from '../../../../../src/envelope/json-writer.ts';
import { BinlogDecoder } from '../../../../../src/sources/mysql/binlog/decoder.ts';
import { BinlogError } from '../../../../../src/sources/mysql/binlog/errors.ts';
import type { BinlogEvent } from '../../../../../src/sources/mysql/binlog/events.ts';
import { jsonCodec } from '../../../../../src/sources/mysql/values.ts';
import { column, formatDescription, rowsEvent, type TestTable, tableMap } from '../../../../helpers/binlog.ts';
import { images, layoutOf, RECORDINGS, recordedEvents } from '../../../../helpers/binlog-reader.ts';

/** What a reader does with an event: all of it. */
function use(event: BinlogEvent): void {
  if (event.kind === 'transaction_payload') for (const inner of event.events) use(inner);
  if (event.kind !== 'rows') return;
  // Hundreds of thousands of rows may be made of few bytes only where each takes some.
  expect(event.rowCount).toBeLessThanOrEqual(event.bytes.length + 1);
  const layout = layoutOf(event);
  for (const { before, after } of images(event, layout)) {
    for (const image of [before, after]) {
      if (image === null) continue;
      image.decode();
      const places = image.locate(),
        writer = new JsonWriter();
      for (const [i, c] of layout.columns.entries()) {
        if ((places[i * 2] as number) < 0) continue;
        expect(places[i * 2 + 1]).toBeLessThanOrEqual(event.bytes.length);
        c.put?.(writer, event.bytes, places[i * 2] as number, places[i * 2 + 1] as number);
      }
    }
  }
}

/** Only errors of ours pass. */
function survives(run: () => void): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof BinlogError)) throw error;
  }
}

/** Without checksums, which would find nearly all that is done to an event. */
function unchecked(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes.subarray(0, bytes.length - 4));
  copy.writeUInt32LE(copy.length, 9);
  return copy;
}

const change = fc.record({ at: fc.nat(), to: fc.integer({ min: 0, max: 255 }) });

describe.each(RECORDINGS)('%s', (name) => {
  const [format, ...events] = recordedEvents(name) as [Buffer, ...Buffer[]];
  // The algorithm of checksums is the last byte before its own.
  const plainFormat = Buffer.from(format);
  plainFormat[format.length - 5] = 0;
  const bodies = events.map(unchecked);

  test('with changed bytes', () => {
    fc.assert(
      fc.property(fc.nat({ max: bodies.length - 1 }), fc.array(change, { minLength: 1, maxLength: 4 }), (n, changes) => {
        const decoder = new BinlogDecoder({ maxUnpackedBytes: 1 << 20 });
        decoder.decode(plainFormat);
        for (const [i, bytes] of bodies.entries()) {
          const isTarget = i === n,
            broken = isTarget ? Buffer.from(bytes) : bytes;
          if (isTarget) for (const { at, to } of changes) broken[19 + (at % Math.max(1, bytes.length - 19))] = to;
          if (i > n + 2) return;
          survives(() => use(decoder.decode(broken)));
        }
      }),
      { numRuns: 100 },
    );
  });

  test('cut off at each place', () => {
    for (const [n, bytes] of bodies.entries()) {
      for (let length = 0; length < bytes.length; length += bytes.length > 100 ? 11 : 2) {
        const cut = Buffer.from(bytes.subarray(0, length));
        if (length >= 19) cut.writeUInt32LE(length, 9);
        const decoder = new BinlogDecoder();
        decoder.decode(plainFormat);
        if (n > 0) survives(() => decoder.decode(bodies[n - 1] as Buffer));
        survives(() => use(decoder.decode(cut)));
      }
    }
  });
});

test('any bytes as a JSON document', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(0, 1, 2, 3, 12, 15), (bytes, type) => {
      const document = Buffer.concat([Buffer.from([type]), bytes]);
      survives(() => jsonCodec.decode(document, 0, document.length));
    }),
    { numRuns: 1000 },
  );
});

test('a JSON document whose members all point at each other ends soon', () => {
  // 200 arrays that share their last element: 2^200 values to one who believes it.
  const size = 4000,
    bytes = Buffer.alloc(size);
  for (let at = 0; at + 14 < size; at += 14) {
    bytes.writeUInt16LE(2, at);
    bytes.writeUInt16LE(10, at + 2);
    for (const entry of [4, 7]) {
      bytes[at + entry] = 2;
      bytes.writeUInt16LE(14, at + entry + 1);
    }
  }
  const document = Buffer.concat([Buffer.from([2]), bytes]);
  expect(() => jsonCodec.decode(document, 0, document.length)).toThrow(BinlogError);
});

test('any bytes as rows of a table of all kinds', () => {
  const table: TestTable = {
    id: 1,
    database: 'd',
    table: 't',
    columns: [
      column.tinyint('a'),
      column.decimal('b', 65, 30),
      column.varchar('c', 300),
      column.datetime('d', 6),
      column.timestamp('e', 3),
      column.time('f', 5),
      column.date('g'),
      column.enum('h', ['x']),
      column.set('i', ['x', 'y']),
      column.bit('j', 12),
      column.blob('k', 1),
      column.geometry('l'),
      column.json('m'),
      column.float('n'),
      column.double('o'),
      column.year('p'),
      column.bigint('q', true),
      column.char('r', 4, 63),
    ],
  };
  const head = rowsEvent('c', table, [], { checksum: false }),
    format = formatDescription('8.0.31', 0),
    map = tableMap(table, { checksum: false });
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (bytes) => {
      const event = Buffer.concat([head, bytes]);
      event.writeUInt32LE(event.length, 9);
      const decoder = new BinlogDecoder();
      decoder.decode(format);
      decoder.decode(map);
      survives(() => use(decoder.decode(event)));
    }),
    { numRuns: 1000 },
  );
});
