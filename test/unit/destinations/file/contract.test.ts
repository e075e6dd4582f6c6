// The contract of destinations over real files: NDJSON as records, CSV as a table that is replayed.

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { descriptor } from '../../../../src/destinations/file/index.ts';
import { parseRecords } from '../../../../src/formats/csv.ts';
import { parseJson } from '../../../../src/formats/json-lossless.ts';
import type { Column, ColumnType, Row, TableSchema, Value } from '../../../../src/sdk/index.ts';
import { type DestinationHarness, describeDestination, encodeFake } from '../../../../src/sdk/testing/index.ts';
import { defaults } from './config.ts';

async function start(name: string, rest: (folder: string) => Partial<DestinationHarness>): Promise<DestinationHarness> {
  const folder = await mkdtemp(join(tmpdir(), 'cdc-out-'));
  await writeFile(join(folder, 'a-file'), '');
  return {
    config: { ...defaults, path: join(folder, name) },
    misconfigured: { ...defaults, path: join(folder, 'a-file', name) },
    ops: ['insert', 'update', 'delete', 'truncate', 'partial', 'move'],
    close: () => rm(folder, { recursive: true }),
    ...rest(folder),
  };
}

describeDestination(
  descriptor,
  () =>
    start('all.ndjson', (folder) => ({
      encode: (events) => encodeFake(events, false), // tombstones have no line
      records: async () => {
        const text = await readFile(join(folder, 'all.ndjson'), 'utf8').catch(() => '');
        return text
          .split('\n')
          .slice(0, -1)
          .map((line) => Buffer.from(line));
      },
    })),
  'NDJSON',
);

/** The value of a cell, by the column's type. */
function parseCell(text: string | null, type: ColumnType): Value {
  if (text === null) return null;
  if (type === 'boolean') return text === 'true';
  if (['int16', 'int32', 'float32', 'float64'].includes(type)) return Number(text);
  if (type === 'int64' || type === 'uint64') return BigInt(text);
  if (type === 'bytes') return new Uint8Array(Buffer.from(text.slice(2), 'hex'));
  return type === 'json' ? parseJson(text) : text;
}

/** The table after all changes of a CSV file, and of those rotated from it. */
async function replay(folder: string, table: TableSchema): Promise<Row[]> {
  const name = table.id.table;
  const names = (await readdir(folder))
    .filter((n) => n.startsWith(`${name}.`))
    .sort((a, b) => Number(a.split('.')[1] ?? Infinity) - Number(b.split('.')[1] ?? Infinity));
  const rows = new Map<unknown, Row>();
  let keyless = 0;
  for (const file of names) {
    const text = await readFile(join(folder, file), 'utf8');
    const [header, ...records] = recordsOf(text);
    for (const [op, , ...cells] of records) {
      const row: Row = {};
      cells.forEach((cell, i) => {
        const column = table.columns.find((c: Column) => c.name === header?.[i + 2]) as Column;
        if (cell !== '__absent__') row[column.name] = parseCell(cell, column.type);
      });
      const key = table.key.length === 0 ? `line ${keyless++}` : row['id'];
      if (op === 't') rows.clear();
      else if (op === 'd') rows.delete(key);
      else rows.set(key, { ...rows.get(key), ...row });
    }
  }
  return [...rows.values()];
}

/** All records of a text: quoted fields may hold line ends. */
function recordsOf(text: string): (readonly (string | null)[])[] {
  const lines = text.split('\n').slice(0, -1),
    records: string[] = [];
  for (let open = '', i = 0; i < lines.length; i++) {
    open = open === '' ? (lines[i] as string) : `${open}\n${lines[i]}`;
    if ((open.match(/"/g)?.length ?? 0) % 2 === 0) {
      records.push(open);
      open = '';
    }
  }
  return parseRecords(records, { delimiter: ',', quote: '"', nullValue: '' }) as (readonly (string | null)[])[];
}

describeDestination(
  descriptor,
  () =>
    start('{table}.csv', (folder) => ({
      ops: ['insert', 'update', 'delete', 'truncate'], // a log of changes: it knows no rows that an incomplete event could miss
      rows: (table) => replay(folder, table),
    })),
  'CSV',
);
