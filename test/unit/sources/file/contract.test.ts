// The contract of sources over a real file of each format.

import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeSource, type SourceHarness } from '../../../../src/sdk/testing/index.ts';
import { descriptor } from '../../../../src/sources/file/index.ts';
import { defaults } from './harness.ts';

type Insert = { readonly id: number; readonly name: string; readonly note: string | null };

async function start(extension: string, first: string, format: (row: Insert) => string, broken: string): Promise<SourceHarness> {
  const folder = await mkdtemp(join(tmpdir(), 'cdc-in-'));
  const path = join(folder, `items.${extension}`);
  await writeFile(path, first);
  const add = (rows: readonly Insert[]): Promise<void> => appendFile(path, rows.map(format).join(''));
  return {
    config: { ...defaults, path, key: ['id'], csv: { ...defaults.csv, null_value: '' } },
    misconfigured: { ...defaults, path: folder, format: 'ndjson' },
    ops: ['insert'],
    commit: (changes) => add(changes.flatMap((c) => (c.op === 'insert' ? [{ id: c.id, name: c.name, note: c.note ?? null }] : []))),
    loseHistory: async () => {
      await rm(path);
      await writeFile(path, `${first}${format({ id: 5000, name: 'another file', note: null })}`.repeat(1));
    },
    advance: () => appendFile(path, '\n'),
    garbage: () => appendFile(path, broken),
    insertTyped: (id) => add([{ id, name: 'typed', note: '12345678901234567890' }]),
    typed: { name: 'typed', note: '12345678901234567890' },
    close: () => rm(folder, { recursive: true }),
  };
}

describeSource(descriptor, () => start('ndjson', '', (row) => `${JSON.stringify(row)}\n`, '{"id":\n'), 'NDJSON');
describeSource(descriptor, () => start('csv', 'id,name,note\n', ({ id, name, note }) => `${id},"${name}",${note ?? ''}\n`, '1,2\n'), 'CSV');
