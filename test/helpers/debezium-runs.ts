// Debezium's records of whole runs: test/fixtures/envelope/debezium-postgresql-run/README.md.

import { existsSync, readFileSync } from 'node:fs';
import { parseJson } from '../../src/envelope/parse-json.ts';
import type { Value } from '../../src/sdk/index.ts';
import { GOLDEN_CASES, type Json, Normalizer } from './debezium-records.ts';

export const RUNS = ['types', 'containers', 'defaults', 'keys', 'keyless', 'changes', 'messages', 'schema', 'edges'] as const;
export type Run = (typeof RUNS)[number];

const fileOf = (run: Run, name: string): URL => new URL(`../fixtures/envelope/debezium-postgresql-run/${run}/${name}`, import.meta.url);

/** Each is its own transaction unless BEGIN says otherwise. */
export function statementsOf(run: Run, name: 'schema' | 'dml'): string[] {
  return readFileSync(fileOf(run, `${name}.sql`), 'utf8')
    .replace(/^--.*$/gm, '')
    .split(/;\s*\n/)
    .filter((statement) => statement.trim() !== '');
}

/** The records without schemas are those with them, without. */
const nameOf = (file: string): string => `${file === 'default' ? 'schemas' : file}.ndjson`;

/** The settings that a run was recorded with. */
export const casesOf = (run: Run): (typeof GOLDEN_CASES)[number][] =>
  GOLDEN_CASES.filter(({ file }) => existsSync(fileOf(run, nameOf(file))));

export function recordedRun(run: Run, file: string): string[] {
  const normalizer = new Normalizer(),
    schemas = new Map<string, Value>();
  // What is written as "same" is the schema before in the topic.
  const whole = (of: string, part: Value): Value => {
    if (part === null) return null;
    const { schema, payload } = part as Json;
    if (schema !== 'same') schemas.set(of, schema as Value);
    return { schema: schemas.get(of) as Value, payload: payload as Value };
  };
  const payload = (part: Value): Value => (part === null ? null : ((part as Json).payload as Value));
  return readFileSync(fileOf(run, nameOf(file)), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => {
      const { topic, key = null, value = null } = parseJson(Buffer.from(line), 'a fixture') as Json;
      if (file === 'default') return normalizer.record(topic as string, payload(key), payload(value));
      if (file !== 'schemas') return normalizer.record(topic as string, key, value);
      return normalizer.record(topic as string, whole(`key of ${topic}`, key), whole(`value of ${topic}`, value));
    });
}
