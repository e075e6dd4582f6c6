// The contract suites against files: NDJSON and CSV read and followed, NDJSON and CSV written.

import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { descriptor as destination } from '../../src/destinations/file/index.ts';
import {
  type DestinationHarness,
  describeDestination,
  describeSource,
  encodeFake,
  type SourceHarness,
} from '../../src/sdk/testing/index.ts';
import { descriptor as source } from '../../src/sources/file/index.ts';
import { makeFolder } from './folder.ts';

const SOURCE_DEFAULTS = {
  format: 'auto',
  table: '{name}',
  key: ['id'],
  encoding: 'utf-8',
  poll_interval: 2,
  max_line_bytes: 1 << 20,
  when_replaced: 'fail',
  csv: { delimiter: ',', quote: '"', header: true, columns: null, null_value: '' },
} as const;

async function startSource(
  name: string,
  header: string,
  lineOf: (row: { id: number; name: string; note: string | null }) => string,
): Promise<SourceHarness> {
  const folder = await makeFolder(),
    path = folder.at(name),
    config = { ...SOURCE_DEFAULTS, path };
  await writeFile(path, header);
  await writeFile(folder.at('items.txt'), '');
  return {
    config,
    ops: ['insert'],
    misconfigured: { ...config, path: folder.at('items.txt') },
    commit: async (changes) => {
      const rows = changes.flatMap((c) => (c.op === 'insert' ? [{ id: c.id, name: c.name, note: c.note ?? null }] : []));
      await appendFile(path, rows.map((row) => `${lineOf(row)}\n`).join(''));
    },
    garbage: () => appendFile(path, '{"id": 5, "name"\n'),
    close: () => folder.remove(),
  };
}

describeSource(source, () => startSource('items.ndjson', '', (row) => JSON.stringify(row)), 'ndjson');
describeSource(
  source,
  () => startSource('items.csv', 'id,name,note\n', ({ id, name, note }) => `${id},"${name}",${note === null ? '' : `"${note}"`}`),
  'csv',
);

const DESTINATION_DEFAULTS = {
  format: 'auto',
  csv: { delimiter: ',', header: true, null_value: '', absent_value: '__absent__' },
  rotate: { size: 0, interval: 0, max_files: 0 },
  fsync: false,
  mode: '0600',
} as const;

async function textOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
}

describeDestination(
  destination,
  async (): Promise<DestinationHarness> => {
    const folder = await makeFolder(),
      path = folder.at('out.ndjson'),
      config = { ...DESTINATION_DEFAULTS, path };
    await writeFile(folder.at('file'), '');
    return {
      config,
      misconfigured: { ...config, path: folder.at('file/out.ndjson') },
      ops: ['insert', 'update', 'delete', 'truncate', 'partial', 'move'],
      encode: (events) => encodeFake(events, false),
      records: async () =>
        (await textOf(path))
          .split('\n')
          .slice(0, -1)
          .map((line) => Buffer.from(line)),
      close: () => folder.remove(),
    };
  },
  'ndjson',
);

describeDestination(
  destination,
  async (): Promise<DestinationHarness> => {
    const folder = await makeFolder(),
      path = folder.at('{table}.csv');
    return {
      config: { ...DESTINATION_DEFAULTS, path },
      ops: ['insert'],
      types: [], // all is text: what a reader of the file makes of it is its own business
      rows: async (table) => {
        const [header, ...lines] = (await textOf(folder.at(`${table.id.table}.csv`))).split('\n').slice(0, -1);
        const names = header?.split(',') ?? [];
        return lines.map((line) => {
          const cells = line.split(','),
            row = Object.fromEntries(names.map((name, i) => [name, cells[i] ?? '']));
          return { id: Number(row['id']), name: row['name'] ?? '', note: row['note'] === '' ? null : (row['note'] ?? null) };
        });
      },
      close: () => folder.remove(),
    };
  },
  'csv',
);
