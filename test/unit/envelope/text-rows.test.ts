// Rows written from their bytes and rows written from their values give the same records, byte for byte.

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createEnvelope, type EnvelopeType } from '../../../src/envelope/create.ts';
import type { ChangeEvent, EncodedBatch, TableSchema, Value } from '../../../src/sdk/index.ts';
import type { Tuple } from '../../../src/sources/postgresql/pgoutput/tuple.ts';
import { ChangePlace, logPositions } from '../../../src/sources/postgresql/position.ts';
import { changes, eventOf, KINDS, rowsOf, TABLE } from '../../helpers/all-types.ts';
import { message } from '../../helpers/pgoutput.ts';

/** Where two texts part, with what stands around it. */
function difference(a: string, b: string): string | null {
  if (a === b) return null;
  let at = 0;
  while (a[at] === b[at]) at++;
  return `${a.slice(Math.max(0, at - 60), at + 60)} <> ${b.slice(Math.max(0, at - 60), at + 60)}`;
}

function shown(batch: EncodedBatch): string {
  const asText = (bytes: Uint8Array | null | undefined): string | null => (bytes ? Buffer.from(bytes).toString('latin1') : null);
  return batch.topic
    .map((topic, i) => [topic, asText(batch.key[i]), asText(batch.value[i]), JSON.stringify(batch.headers[i]), batch.event[i]].join(' '))
    .join('\n');
}

const ENVELOPES: readonly (readonly [EnvelopeType, Record<string, unknown>])[] = [
  ['debezium', {}],
  ['debezium', { schemas: true }],
  ['debezium', { compatible: true }],
  ['debezium', { compatible: true, schemas: true, decimal_handling_mode: 'string', time_precision_mode: 'connect' }],
  ['debezium', { compatible: true, decimal_handling_mode: 'double', time_precision_mode: 'isostring', binary_handling_mode: 'hex' }],
  ['plain', {}],
  ['cdc_event', {}],
  ['sync_event', {}],
  ['elide', {}],
  ['cloudevents', {}],
];

const TABLES: readonly (readonly [string, TableSchema])[] = [
  ['all columns', TABLE],
  ['a table that knows fewer columns', { ...TABLE, columns: TABLE.columns.slice(4), key: ['words'] }],
  ['no key', { ...TABLE, key: [] }],
  ['no schema', { ...TABLE, columns: [], key: [] }],
];

/** What transformers put in the place of values. */
const replacements = fc.array(
  fc.tuple(fc.constantFrom('words', 'padded', 'flag', 'doc', 'none'), fc.oneof(fc.string(), fc.constant(null), fc.boolean())),
  { maxLength: 3 },
);

function replacedIn(event: ChangeEvent, replaced: readonly (readonly [string, Value])[]): ChangeEvent {
  for (const [column, value] of replaced) {
    for (const side of ['before', 'after'] as const) if (event.get(side, column) !== undefined) event.replace(side, column, value);
  }
  return event;
}

describe.each(ENVELOPES)('%s %o', (type, options) => {
  const context = {
    pipeline: 'p',
    now: () => 1_709_210_097_000,
    sources: { shop: { connector: 'postgresql', database: 'shop', fields: () => ({ lsn: 7, sequence: '[null,"7"]' }) } },
  };
  test('writes the same from bytes as from values', () => {
    fc.assert(
      fc.property(
        fc.array(changes, { minLength: 1, maxLength: 4 }),
        fc.constantFrom(...TABLES),
        replacements,
        (makers, [, table], replaced) => {
          const envelope = createEnvelope({ type, options }, context);
          const fromBytes = envelope.encode(makers.map((make) => replacedIn(eventOf(make(), table), replaced)));
          const decoded = makers.map((make) => {
            const { before, after, ...init } = make();
            const rows = {
              before: (before as Tuple | null | undefined)?.decode() ?? null,
              after: (after as Tuple | undefined)?.decode() ?? null,
            };
            return replacedIn(eventOf({ ...init, ...rows }, table), replaced);
          });
          expect(difference(shown(fromBytes), shown(envelope.encode(decoded)))).toBeNull();
        },
      ),
      { numRuns: 60 },
    );
  });
});

test('a row stays in its bytes, and is written as changed where it was', () => {
  const make = (): ChangeEvent =>
    eventOf(
      {
        op: 'c',
        after: rowsOf(
          message.insert(
            1,
            KINDS.map(() => null),
          ),
        )[1] as Tuple,
      },
      TABLE,
    );
  const envelope = createEnvelope({ type: 'plain', options: {} }, { pipeline: 'p', now: () => 1, sources: {} });
  const untouched = make();
  envelope.encode([untouched]);
  expect(untouched.image('after')).not.toBeNull();
  const changed = make();
  changed.replace('after', 'words', 'new');
  expect(changed.image('after')).not.toBeNull();
  expect(Buffer.from(envelope.encode([changed]).value[0] as Uint8Array).toString()).toContain('"words":"new"');
});

test.each([{}, { compatible: true }, { compatible: true, provide_transaction_metadata: true }])(
  'positions that nobody has read are written as those that are texts: %o',
  (options) => {
    const place = fc.tuple(
      fc.constantFrom(0, 1, 0x20_0000),
      fc.constantFrom(5, 0xffff_fff0),
      fc.constantFrom(0, 1),
      fc.nat(0xffff_ffff),
      fc.nat(300),
    );
    const source = {
      connector: 'postgresql',
      database: 'shop',
      fields: (e: ChangeEvent) => logPositions.fields?.(e.lazyPosition()?.text() ?? e.position, e.transaction?.id ?? null) ?? {},
    };
    fc.assert(
      fc.property(fc.array(fc.tuple(place, fc.constantFrom('7', '8')), { minLength: 1, maxLength: 8 }), (places) => {
        const events = (isText: boolean) =>
          places.map(([parts, id], i) => {
            const at = new ChangePlace(...parts),
              transaction = { id, order: i + 1, collectionOrder: i + 1, commitTsMs: 1, last: false };
            return eventOf({ op: 'c', after: { words: 'a' }, transaction }, TABLE, isText ? at.text() : at);
          });
        const envelope = createEnvelope({ type: 'debezium', options }, { pipeline: 'p', now: () => 1, sources: { shop: source } });
        expect(difference(shown(envelope.encode(events(false))), shown(envelope.encode(events(true))))).toBeNull();
      }),
    );
  },
);
