// The whole way from a real server to Debezium's records: the statements of the recorded files run here, our source captures them, and
// every record is compared with what Debezium wrote.

import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { createEnvelope } from '../../../src/envelope/create.ts';
import { parseJson } from '../../../src/envelope/parse-json.ts';
import type { ChangeEvent, EncodedBatch, Value } from '../../../src/sdk/index.ts';
import { BinlogPositions } from '../../../src/sources/mysql/position.ts';
import { GOLDEN_CASES, type Json, Normalizer } from '../../helpers/debezium-records.ts';
import { createMysqlDatabase, mysqlServers } from '../../helpers/mysql.ts';
import { capture, statements } from './capture.ts';

const fixture = (name: string): string =>
  readFileSync(new URL(`../../fixtures/envelope/debezium-mariadb-run/${name}`, import.meta.url), 'utf8');

/** Beyond what all connectors blank: where it stands in the log. */
const PLACES = ['server_id', 'gtid', 'file', 'pos', 'row'];

class Records {
  readonly #normalizer = new Normalizer();

  record(topic: string, key: Value, value: Value): string {
    const inner = (value as Json | null)?.['payload'] ?? value,
      source = (inner as Json | null)?.['source'] as Json | undefined;
    if (source) for (const name of PLACES) if (source[name] !== null && source[name] !== undefined) source[name] = '*';
    // The id of a transaction is its GTID.
    return this.#normalizer.record(topic, key, value);
  }
}

function recorded(file: string): string[] {
  const records = new Records();
  return fixture(`${file}.ndjson`)
    .trimEnd()
    .split('\n')
    .map((line) => {
      const { topic, key, value } = parseJson(Buffer.from(line), 'a fixture') as Json;
      return records.record(topic as string, key as Value, value as Value);
    });
}

function normalized(batch: EncodedBatch): string[] {
  const records = new Records(),
    parse = (bytes: Uint8Array | null | undefined): Value => (bytes ? parseJson(bytes, 'a record') : null);
  return batch.topic.map((topic, i) => records.record(topic, parse(batch.key[i]), parse(batch.value[i])));
}

function lines(events: readonly ChangeEvent[], options: Record<string, unknown>, database: string): string[] {
  const positions = new BinlogPositions();
  const envelope = createEnvelope(
    { type: 'debezium', options: { compatible: true, ...options } },
    {
      pipeline: 'golden',
      version: '0.1.0',
      now: () => 1_795_242_997_141,
      sources: {
        golden: { connector: 'mariadb', database: null, fields: (e) => e.lazyPosition()?.fields(null) ?? positions.fields(e.position) },
      },
    },
  );
  return normalized(envelope.encode(events)).map((line) => line.replaceAll(database, 'golden'));
}

const servers = await mysqlServers();

describe.skipIf(!servers.includes('mariadb'))('records of the whole way are those of Debezium', () => {
  let events: readonly ChangeEvent[] = [],
    database = '';

  beforeAll(async () => {
    await using db = await createMysqlDatabase('mariadb');
    database = db.name;
    for (const statement of statements(fixture('schema.sql'))) await db.query(statement);
    events = await capture(db, statements(fixture('dml.sql')));
  });

  it.each(GOLDEN_CASES)('with the settings of $file', ({ file, options, truncates }) => {
    const expected = recorded(file);
    // By default Debezium leaves truncates out.
    const ours = lines(
      events.filter((e) => truncates || e.op !== 't'),
      options,
      database,
    );
    for (const [i, line] of expected.entries()) expect(ours[i], `record ${i + 1}`).toBe(line);
    expect(ours).toHaveLength(expected.length);
  });
});
