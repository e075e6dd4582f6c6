// Recorded output of Debezium's connectors for MySQL and MariaDB, and ours beside it: what differs from run to run is blanked.

import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { createEnvelope } from '../../src/envelope/create.ts';
import { parseJson } from '../../src/envelope/parse-json.ts';
import type { ChangeEvent, EncodedBatch, TableSchema, Value } from '../../src/sdk/index.ts';
import { BinlogPositions } from '../../src/sources/mysql/position.ts';
import { type Json, Normalizer } from './debezium-records.ts';

/** A folder of test/fixtures/envelope: a database, statements, and what Debezium made of them. */
export interface RecordedFolder {
  readonly folder: string;
  readonly connector: 'mysql' | 'mariadb';
  readonly isZipped: boolean;
}

export class Recording {
  readonly #recorded: RecordedFolder;

  constructor(recorded: RecordedFolder) {
    this.#recorded = recorded;
  }

  #file(name: string): Buffer {
    return readFileSync(new URL(`../fixtures/envelope/${this.#recorded.folder}/${name}`, import.meta.url));
  }

  sql(name: 'schema' | 'dml'): string {
    return this.#file(`${name}.sql`).toString();
  }

  /** The records of one set of settings. */
  records(file: string): string[] {
    const records = new Records(),
      text = this.#recorded.isZipped ? gunzipSync(this.#file(`${file}.ndjson.gz`)) : this.#file(`${file}.ndjson`);
    return text
      .toString()
      .trimEnd()
      .split('\n')
      .filter(isOfRows)
      .map((line) => {
        const { topic, key, value } = parseJson(Buffer.from(line), 'a fixture') as Json;
        return records.record(topic as string, key as Value, value as Value);
      });
  }
}

/** Beyond what all connectors blank: where it stands in the log. */
const PLACES = ['server_id', 'gtid', 'file', 'pos', 'row'];

class Records {
  readonly #normalizer = new Normalizer();

  record(topic: string, key: Value, value: Value): string {
    const inner = (value as Json | null)?.['payload'] ?? value,
      source = (inner as Json | null)?.['source'] as Json | undefined;
    // MySQL's connection, which our places do not have: src/envelope/README.md.
    if (source) source['thread'] = null;
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

function normalized(batch: EncodedBatch): string[] {
  const records = new Records(),
    parse = (bytes: Uint8Array | null | undefined): Value => (bytes ? parseJson(bytes, 'a record') : null);
  return batch.topic.map((topic, i) => records.record(topic, parse(batch.key[i]), parse(batch.value[i])));
}

/** Databases of tests have other names, and Debezium's order of tables depends on them. */
function renamed(events: readonly ChangeEvent[], nameOf: (database: string) => string): ChangeEvent[] {
  const tables = new Map<TableSchema, TableSchema>();
  return events.map((e) => {
    const database = nameOf(e.table.id.database ?? ''),
      table = tables.get(e.table) ?? { ...e.table, id: { ...e.table.id, database, schema: database } };
    tables.set(e.table, table);
    return e.copy({ table });
  });
}

/** Our records of events; `nameOf`: a database of the test → the recorded one. */
export function ownRecords(
  { connector }: RecordedFolder,
  events: readonly ChangeEvent[],
  options: Record<string, unknown>,
  nameOf: (database: string) => string,
): string[] {
  const positions = new BinlogPositions();
  const envelope = createEnvelope(
    { type: 'debezium', options: { compatible: true, ...options } },
    {
      pipeline: 'golden',
      version: '0.1.0',
      now: () => 1_795_242_997_141,
      sources: {
        golden: { connector, database: null, fields: (e) => e.lazyPosition()?.fields(null) ?? positions.fields(e.position) },
      },
    },
  );
  return normalized(envelope.encode(renamed(events, nameOf)));
}
