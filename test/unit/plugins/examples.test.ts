// The examples in the READMEs of plugins are valid, and tables that were changed on the way arrive in files, tables and Avro as one.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { formatIssue, parsePipelineText } from '../../../src/config/load.ts';
import { runPipeline } from '../../../src/index.ts';
import { blocksOf, ROOT } from '../docs/pages.ts';

const AROUND = 'name: example\nsource: {type: generator}\ndestination: {type: console}\n';
const readmes = ['transformers', 'middleware'].flatMap((kind) =>
  readdirSync(join(ROOT, 'plugins', kind)).map((name) => join('plugins', kind, name, 'README.md')),
);
const examples = readmes.flatMap(blocksOf).filter((b) => b.language === 'yaml');

describe('the READMEs of plugins', () => {
  it('have an example each', () => {
    expect([...new Set(examples.map((b) => b.page))].sort()).toEqual(readmes.sort());
  });

  it.each(examples.map((b) => [`${b.page}:${b.line}`, b] as const))('%s is valid', async (_, { page, text }) => {
    // Without an environment, references to it are not filled in, which is no mistake of the example.
    const { problems, warnings } = await parsePipelineText(AROUND + text, {
      file: page,
      baseDir: ROOT,
      env: { AUDIT_KEY: 'a key of enough characters', MASKING_KEY: 'a key of enough characters' },
    });
    expect([...problems, ...warnings].map(formatIssue)).toEqual([]);
  });
});

class Folder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'cdc-shaping-'));
  at(name: string): string {
    return join(this.path, name);
  }
  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

const PIPELINE = `
name: shaping
source: {type: sqlite, path: shop.db, cdc_mode: trigger, tables: [orders_eu, orders_us]}
plugins:
  transformers:
    - {type: route, params: {routes: [{match: 'orders_(..)', table: orders, key_column: {name: region, value: "$1"}}]}}
    - {type: rename, params: {columns: {ttl: total}}}
    - {type: cast, params: {columns: {total: "decimal(10,2)", id: string}}}
    - {type: flatten, params: {columns: {address.city: string}, others: drop}}
    - {type: drop, params: {columns: [secret]}}
    - {type: unwrap, params: {deletes: rewrite, add_columns: {__table: table}}}
destinations:
  - {name: replica, type: sqlite, path: replica.db}
  - {name: rows, type: file, path: "{table}.ndjson", envelope: row}
sync: {mode: one_time}
state: {path: state.db}
error_handling: {dead_letter_queue: {type: file, path: dlq.ndjson}}
`;

describe('a chain of steps', () => {
  it('gives one table to a replica and to files, and what it cannot convert to the dead letters', async () => {
    using work = new Folder();
    const shop = new Database(work.at('shop.db'));
    for (const region of ['eu', 'us'])
      shop.exec(`CREATE TABLE orders_${region} (id INTEGER PRIMARY KEY, ttl TEXT, address JSON, secret TEXT);
        INSERT INTO orders_${region} VALUES (1, '12.5', '{"city": "${region}"}', 's'), (2, '7', NULL, 's')`);
    writeFileSync(work.at('pipeline.yaml'), PIPELINE.replaceAll(/(path: "?)/g, `$1${work.path}/`));
    const run = async () => (await runPipeline(work.at('pipeline.yaml'), {})).done;
    expect(await run()).toMatchObject({ outcome: 'done', error: null, deadLetters: 0 });
    shop.exec(
      `DELETE FROM orders_eu WHERE id = 2; UPDATE orders_us SET ttl = '12.555' WHERE id = 1; UPDATE orders_us SET id = 3 WHERE id = 2`,
    );
    expect(await run()).toMatchObject({ outcome: 'done', error: null, deadLetters: 1 });
    shop.close();

    const replica = new Database(work.at('replica.db'), { readonly: true });
    const rows = replica.prepare('SELECT * FROM orders ORDER BY region, id').all();
    replica.close();
    const at = { __table: 'orders', __deleted: 0 };
    expect(rows).toEqual([
      { id: '1', total: 12.5, address_city: 'eu', region: 'eu', ...at },
      { id: '2', total: 7, address_city: null, region: 'eu', ...at, __deleted: 1 },
      { id: '1', total: 12.5, address_city: 'us', region: 'us', ...at },
      { id: '3', total: 7, address_city: null, region: 'us', ...at },
    ]);
    expect(readFileSync(work.at('orders.ndjson'), 'utf8').split('\n')[0]).toContain('"total":"12.50"');
    const letter = readFileSync(work.at('dlq.ndjson'), 'utf8');
    expect(letter).toContain('cannot become decimal(10,2) without loss');
  });
});
