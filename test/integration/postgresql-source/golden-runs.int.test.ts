// The whole way from a real server to Debezium's records, over many types and statements: those of the recorded runs are made here,
// our source captures them, and every record is compared with what Debezium wrote.

import { beforeAll, describe, expect, it } from 'vitest';
import { createEnvelope } from '../../../src/envelope/create.ts';
import type { ChangeEvent } from '../../../src/sdk/index.ts';
import { logPositions } from '../../../src/sources/postgresql/position.ts';
import { normalized } from '../../helpers/debezium-records.ts';
import { casesOf, RUNS, type Run, recordedRun, statementsOf } from '../../helpers/debezium-runs.ts';
import { createDatabase, skipReason } from '../../helpers/postgres.ts';
import { POSTGRESQL_SOURCE_DEFAULTS } from '../../helpers/postgres-source.ts';
import { capture } from './capture.ts';

const missing = (await skipReason()) !== null;

/** Tables are read one after another, as Debezium reads them, and all are published. */
const SETTINGS = {
  snapshot: { ...POSTGRESQL_SOURCE_DEFAULTS.snapshot, workers: 1 },
  publication: { name: 'golden_pub', create: false },
};

async function captureRun(run: Run): Promise<readonly ChangeEvent[]> {
  await using db = await createDatabase();
  for (const statement of statementsOf(run, 'schema')) await db.query(statement);
  await db.query('CREATE PUBLICATION golden_pub FOR ALL TABLES WITH (publish_via_partition_root = true)');
  await db.query("SET TIME ZONE 'UTC'");
  // Defaults and the like come from the catalog: those of then, when changes are read as they are made.
  const { events } = await capture(db, statementsOf(run, 'dml'), SETTINGS, run === 'schema' ? 'during' : 'after');
  return withoutRereads(events);
}

/** A table that ALTER wrote anew is read again here; Debezium goes on with what it has. */
function withoutRereads(events: readonly ChangeEvent[]): readonly ChangeEvent[] {
  const first = events.findIndex((e) => e.op !== 'r');
  return events.filter((e, i) => i < first || (e.op !== 'r' && (e.op !== 't' || e.transaction !== null)));
}

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

describe.skipIf(missing).each(RUNS)('records of the run %s are those of Debezium', (run) => {
  let events: readonly ChangeEvent[] = [];

  beforeAll(async () => {
    events = await captureRun(run);
  }, 120_000);

  it.each(casesOf(run))('with the settings of $file', ({ file, options, truncates }) => {
    const expected = recordedRun(run, file);
    // By default Debezium leaves truncates out.
    const lines = records(
      events.filter((e) => truncates || e.op !== 't'),
      options,
    );
    for (const [i, line] of expected.entries()) expect(lines[i], `record ${i + 1}`).toBe(line);
    expect(lines).toHaveLength(expected.length);
  });
});
