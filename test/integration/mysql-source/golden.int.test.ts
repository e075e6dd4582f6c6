// The whole way from a real server to Debezium's records: the statements of the recorded files run here, our source captures them, and
// every record is compared with what Debezium wrote.

import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { createEnvelope } from '../../../src/envelope/create.ts';
import { parseJson } from '../../../src/envelope/parse-json.ts';
import type { ChangeEvent, EncodedBatch, TableSchema, Value } from '../../../src/sdk/index.ts';
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

/** Of an ALTER TABLE Debezium writes the BEGIN of its transaction, which has nothing in it and no END. Ours are those of rows. */
function isOfRows(line: string, _: number, all: readonly string[]): boolean {
  const [, id] = /"status":"BEGIN","id":"([^"]+)"/.exec(line) ?? [];
  return id === undefined || all.some((other) => other !== line && other.includes(`"id":"${id}"`));
}

function recorded(file: string): string[] {
  const records = new Records();
  return fixture(`${file}.ndjson`)
    .trimEnd()
    .split('\n')
    .filter(isOfRows)
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

/** The database of the test has another name, and Debezium's order of tables depends on it. */
function renamed(events: readonly ChangeEvent[]): ChangeEvent[] {
  const tables = new Map<TableSchema, TableSchema>();
  return events.map((e) => {
    const table = tables.get(e.table) ?? { ...e.table, id: { ...e.table.id, database: 'golden', schema: 'golden' } };
    tables.set(e.table, table);
    return e.copy({ table });
  });
}

function lines(events: readonly ChangeEvent[], options: Record<string, unknown>): string[] {
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
  return normalized(envelope.encode(renamed(events)));
}

const servers = await mysqlServers();

describe.skipIf(!servers.includes('mariadb'))('records of the whole way are those of Debezium', () => {
  let events: readonly ChangeEvent[] = [];

  beforeAll(async () => {
    await using db = await createMysqlDatabase('mariadb');
    for (const statement of statements(fixture('schema.sql'))) await db.query(statement);
    events = await capture(db, statements(fixture('dml.sql')));
  });

  it.each(GOLDEN_CASES)('with the settings of $file', ({ file, options, truncates }) => {
    const expected = recorded(file);
    // By default Debezium leaves truncates out.
    const ours = lines(
      events.filter((e) => truncates || e.op !== 't'),
      options,
    );
    for (const [i, line] of expected.entries()) expect(ours[i], `record ${i + 1}`).toBe(line);
    expect(ours).toHaveLength(expected.length);
  });
});
