// Libraries that a pipeline does not use are never loaded: seen by what a real process loads.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';

/** Each belongs to one adapter, plugin or section. */
const LAZY = [
  '@marcbachmann/cel-js',
  '@platformatic/kafka',
  'amqplib',
  'avsc',
  'croner',
  'csv-parse',
  'csv-stringify',
  'ioredis',
  'jiti',
  'kafkajs',
  'mqtt',
  'mysql2',
  'pg',
  'pg-copy-streams',
  'prom-client',
  'protobufjs',
];

const generator = '{type: generator, count: 5}';
const nothing = '{type: "null"}';

interface Case {
  readonly what: string;
  readonly yaml: string;
  readonly command?: string;
  readonly code?: number;
  readonly loads: readonly string[];
}

const CASES: readonly Case[] = [
  { what: 'generator → null', yaml: `source: ${generator}\ndestination: ${nothing}`, loads: [] },
  {
    what: 'sqlite and NDJSON files',
    yaml: `source: ${generator}\ndestinations: [{type: sqlite, path: r.db}, {type: file, path: o.ndjson, envelope: debezium}]`,
    loads: [],
  },
  // src/formats/csv.ts reads and writes.
  { what: 'a CSV source', yaml: `source: {type: file, path: in.csv}\ndestination: ${nothing}`, loads: ['csv-parse', 'csv-stringify'] },
  {
    what: 'a CSV destination',
    yaml: `source: ${generator}\ndestination: {type: file, path: out.csv}`,
    loads: ['csv-parse', 'csv-stringify'],
  },
  {
    what: 'postgresql',
    yaml: `source: ${generator}\ndestination: {type: postgresql, host: /nowhere}`,
    code: 3,
    loads: ['pg', 'pg-copy-streams'],
  },
  { what: 'mysql', yaml: `source: ${generator}\ndestination: {type: mysql, host: /nowhere, database: shop}`, code: 3, loads: ['mysql2'] },
  {
    what: 'a mysql source',
    yaml: `source: {type: mysql, host: /nowhere, database: shop}\ndestination: ${nothing}`,
    code: 3,
    loads: ['mysql2'],
  },
  {
    what: 'redis',
    yaml: `source: ${generator}\ndestination: {type: redis_stream, host: /nowhere}`,
    code: 3,
    loads: ['ioredis'],
  },
  {
    what: 'rabbitmq',
    yaml: `source: ${generator}\ndestination: {type: rabbitmq, host: nowhere.invalid, queue: q}`,
    code: 3,
    loads: ['amqplib'],
  },
  {
    what: 'mqtt',
    yaml: `source: ${generator}\ndestination: {type: mqtt, broker: "mqtt://nowhere.invalid"}`,
    code: 3,
    loads: ['mqtt'],
  },
  {
    what: 'a filter',
    yaml: `source: ${generator}\nplugins: {transformers: {transformers: [{type: filter, params: {expression: "true"}}]}}\ndestination: ${nothing}`,
    loads: ['@marcbachmann/cel-js'],
  },
  {
    what: 'a schedule',
    yaml: `source: ${generator}\ndestination: ${nothing}\nsync: {mode: cron, schedule: "0 3 * * *"}`,
    command: 'validate',
    loads: ['croner'],
  },
];

/** Names of the packages that one run of the command line loads. */
function packagesOf({ yaml, command = 'run', code = 0 }: Case): Set<string> {
  const folder = mkdtempSync(join(tmpdir(), 'cdc-lazy-'));
  try {
    const modules = join(folder, 'modules.txt');
    // One attempt: what cannot be reached is not waited for.
    const rest = `${yaml.includes('sync:') ? '' : 'sync: {mode: one_time}\n'}error_handling: {retry: {max_attempts: 1}}`;
    writeFileSync(join(folder, 'lazy.yaml'), `name: lazy\n${rest}\n${yaml}\n`);
    writeFileSync(join(folder, 'in.csv'), 'id\n1\n');
    const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
    const recorder = new URL('../helpers/record-modules.ts', import.meta.url).href;
    const flags = command === 'run' ? ['--fail-fast'] : [];
    const { status, stderr } = spawnSync(
      process.execPath,
      ['--conditions=source', '--import', loader, '--import', recorder, resolve('src/cli/main.ts'), command, 'lazy.yaml', ...flags],
      { cwd: folder, encoding: 'utf8', env: { ...process.env, CDC_RECORD_MODULES: modules } },
    );
    expect(status, stderr).toBe(code);
    const names = [...readFileSync(modules, 'utf8').matchAll(/\/node_modules\/((?:@[^/\n]+\/)?[^/\n]+)\//g)].map(
      ([, name]) => name as string,
    );
    return new Set(names);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe('a pipeline loads only what it uses', () => {
  it.each(CASES)('loads $loads for $what', (run) => {
    const loaded = packagesOf(run);
    expect(LAZY.filter((name) => loaded.has(name))).toEqual(run.loads);
    // The recorder sees packages at all, modules and CommonJS alike.
    expect(loaded).toContain('yaml');
    if (run.command === undefined) expect(loaded).toContain('better-sqlite3');
  });
});
