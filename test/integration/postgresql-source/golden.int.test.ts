// The whole way from a real server to Debezium's records: the statements of the recorded files run here, our source captures
// them, and every record is compared with what Debezium wrote.

import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { createEnvelope } from '../../../src/envelope/create.ts';
import type { ChangeEvent } from '../../../src/sdk/index.ts';
import { logPositions } from '../../../src/sources/postgresql/position.ts';
import { GOLDEN_CASES, normalized, recorded } from '../../helpers/debezium-records.ts';
import { createDatabase, skipReason } from '../../helpers/postgres.ts';
import { capture } from './capture.ts';

const missing = (await skipReason()) !== null;
const sql = (name: string): string =>
  readFileSync(new URL(`../../fixtures/envelope/debezium-postgresql/${name}.sql`, import.meta.url), 'utf8');

/** Each is its own transaction unless BEGIN says otherwise. */
const statements = (text: string): string[] =>
  text
    .replace(/^--.*$/gm, '')
    .split(/;\s*\n/)
    .filter((statement) => statement.trim() !== '');

function records(events: readonly ChangeEvent[], options: Record<string, unknown>): string[] {
  const fields = (event: ChangeEvent): ReturnType<NonNullable<typeof logPositions.fields>> => logPositions.fields?.(event.position) ?? {};
  const envelope = createEnvelope(
    { type: 'debezium', options: { compatible: true, ...options } },
    {
      pipeline: 'golden',
      version: '0.1.0',
      now: () => 1_795_242_997_141,
      sources: { golden: { connector: 'postgresql', database: 'golden', fields } },
    },
  );
  return normalized(envelope.encode(events));
}

describe.skipIf(missing)('records of the whole way are those of Debezium', () => {
  let events: readonly ChangeEvent[] = [];

  beforeAll(async () => {
    await using db = await createDatabase();
    for (const statement of statements(sql('schema'))) await db.query(statement);
    ({ events } = await capture(db, statements(sql('dml'))));
  });

  it.each(GOLDEN_CASES)('with the settings of $file', ({ file, options, truncates }) => {
    const expected = recorded(file);
    // By default Debezium leaves truncates out.
    const lines = records(
      events.filter((e) => truncates || e.op !== 't'),
      options,
    );
    for (const [i, line] of expected.entries()) expect(lines[i], `record ${i + 1}`).toBe(line);
    expect(lines).toHaveLength(expected.length);
  });
});
