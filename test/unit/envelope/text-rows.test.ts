// Rows written from their bytes and rows written from their values give the same records, byte for byte.

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createEnvelope, type EnvelopeType } from '../../../src/envelope/create.ts';
import type { ChangeEvent, EncodedBatch, TableSchema } from '../../../src/sdk/index.ts';
import type { Tuple } from '../../../src/sources/postgresql/pgoutput/tuple.ts';
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

describe.each(ENVELOPES)('%s %o', (type, options) => {
  const context = {
    pipeline: 'p',
    now: () => 1_709_210_097_000,
    sources: { shop: { connector: 'postgresql', database: 'shop', fields: () => ({ lsn: 7, sequence: '[null,"7"]' }) } },
  };
  test('writes the same from bytes as from values', () => {
    fc.assert(
      fc.property(fc.array(changes, { minLength: 1, maxLength: 4 }), fc.constantFrom(...TABLES), (makers, [, table]) => {
        const envelope = createEnvelope({ type, options }, context);
        const fromBytes = envelope.encode(makers.map((make) => eventOf(make(), table)));
        const decoded = makers.map((make) => {
          const { before, after, ...init } = make();
          const rows = {
            before: (before as Tuple | null | undefined)?.decode() ?? null,
            after: (after as Tuple | undefined)?.decode() ?? null,
          };
          return eventOf({ ...init, ...rows }, table);
        });
        expect(difference(shown(fromBytes), shown(envelope.encode(decoded)))).toBeNull();
      }),
      { numRuns: 60 },
    );
  });
});

test('an untouched row stays in its bytes, a changed one is written as changed', () => {
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
  expect(changed.image('after')).toBeNull();
  expect(Buffer.from(envelope.encode([changed]).value[0] as Uint8Array).toString()).toContain('"words":"new"');
});
