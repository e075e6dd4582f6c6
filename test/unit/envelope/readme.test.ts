// The examples of src/envelope/README.md are what the code prints.

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createEnvelope, ENVELOPE_TYPES, type EnvelopeType } from '../../../src/envelope/create.ts';
import type { Position, TableSchema } from '../../../src/sdk/index.ts';
import { AT_MS, column, event, NOW_MS } from './helpers.ts';

const USERS: TableSchema = {
  id: { database: 'shop', schema: 'public', table: 'users' },
  key: ['id'],
  version: 1,
  columns: [
    column('id', 'int64', { nullable: false }),
    column('name', 'string'),
    column('credit', 'decimal', { precision: 10, scale: 2 }),
    column('since', 'timestamp'),
    column('tags', 'json'),
  ],
};
const before = { id: 7n, name: 'Ada', credit: '10.00', since: '2024-02-29T12:34:56.789123', tags: ['new'] };
const UPDATE = event({
  op: 'u',
  table: USERS,
  source: 'shop',
  position: '0000000000000042' as Position,
  before,
  after: { ...before, name: 'Ada Lovelace', credit: '12.50' },
  transaction: { id: '581', order: 1, collectionOrder: 1, commitTsMs: AT_MS, last: true },
});
const ctx = {
  pipeline: 'orders',
  version: '0.1.0',
  now: () => NOW_MS,
  sources: {
    shop: {
      connector: 'postgresql',
      database: 'shop',
      fields: () => ({ lsn: 24023128, txId: 581, sequence: '["24023000","24023128"]', ts_us: 1709210096789123n }),
    },
  },
};

const readme = readFileSync(new URL('../../../src/envelope/README.md', import.meta.url), 'utf8');

/** The first JSON block after a heading. */
function example(heading: string): string | undefined {
  return readme
    .split(/^### /m)
    .find((part) => part.startsWith(`${heading}\n`))
    ?.match(/```json\n([\s\S]*?)\n```/)?.[1];
}

function printed(type: EnvelopeType, options: Record<string, unknown>): string {
  const [value] = createEnvelope({ type, options }, ctx).encode([UPDATE]).value;
  // Broken into lines for reading: by members of the outermost object.
  const entries = Object.entries(JSON.parse(Buffer.from(value as Uint8Array).toString()) as Record<string, unknown>);
  return `{\n${entries.map(([name, v]) => `  ${JSON.stringify(name)}: ${JSON.stringify(v)}`).join(',\n')}\n}`;
}

describe('README examples', () => {
  test.each<[string, EnvelopeType, Record<string, unknown>]>([
    ...ENVELOPE_TYPES.map((type): [string, EnvelopeType, Record<string, unknown>] => [`\`${type}\``, type, {}]),
    ['`debezium` with `compatible: true`', 'debezium', { compatible: true }],
  ])('%s', (heading, type, options) => {
    expect(example(heading)).toBe(printed(type, options));
  });
});
