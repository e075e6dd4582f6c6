import { describe, expect, it } from 'vitest';
import { describeConfig } from '../../../src/config/describe.ts';
import { type LoadResult, parsePipelineText } from '../../../src/config/load.ts';

const KEY = 'ab'.repeat(32);
const load = (queue: string, own = ''): Promise<LoadResult> =>
  parsePipelineText(
    `source: {type: generator}\ndestination: {name: bus, type: "null"${own === '' ? '' : `, error_handling: {dead_letter_queue: ${own}}`}}
error_handling: {dead_letter_queue: ${queue}}\n`,
    { file: 'orders.yaml', baseDir: '/', env: {} },
  );

describe('dead_letter_queue', () => {
  const cases: [string, string, unknown][] = [
    ['a file by default', '{}', { type: 'file', path: '.cdc/dlq/orders.ndjson', key: null }],
    ['a SQLite file', '{type: sqlite}', { type: 'sqlite', path: '.cdc/dlq/orders.db', key: null }],
    ['a key', `{path: a.ndjson, key: ${KEY}}`, { type: 'file', path: 'a.ndjson', key: KEY }],
    [
      'a destination, with the defaults of its type',
      '{type: destination, destination: {type: console, name: dead}}',
      { type: 'destination', key: null, destination: { name: 'dead', type: 'console', envelope: { type: 'plain' }, config: {} } },
    ],
  ];
  it.each(cases)('is %s', async (_title, text, expected) => {
    const { pipelines, problems } = await load(text);
    expect(problems).toEqual([]);
    expect(pipelines[0]?.deadLetterQueue).toMatchObject(expected as object);
    expect(pipelines[0]?.destinations[0]?.deadLetterQueue).toBeNull();
  });

  it('of a destination is its own, in a file named after both', async () => {
    const { pipelines } = await load('{}', '{type: file}');
    expect(pipelines[0]?.destinations[0]?.deadLetterQueue).toEqual({ type: 'file', path: '.cdc/dlq/orders.bus.ndjson', key: null });
  });

  const bad: [string, string, string][] = [
    ['{type: destination}', 'CONFIG_MISSING_KEY', 'missing key "destination"'],
    ['{type: destination, path: x, destination: {type: console}}', 'CONFIG_INVALID_VALUE', 'path has no meaning'],
    ['{destination: {type: console}}', 'CONFIG_INVALID_VALUE', 'destination has no meaning'],
    ['{key: short}', 'CONFIG_INVALID_VALUE', 'fewer than 12 characters'],
    ['{type: destination, destination: {type: consol}}', 'CONFIG_UNKNOWN_TYPE', 'consol'],
    ['{type: destination, destination: {type: console, required: false}}', 'CONFIG_UNKNOWN_KEY', 'required'],
    ['{type: redis}', 'CONFIG_INVALID_VALUE', 'type'],
  ];
  it.each(bad)('%s is refused', async (text, code, message) => {
    const { problems, pipelines } = await load(text);
    expect(pipelines).toEqual([]);
    expect(problems[0]).toMatchObject({
      code,
      message: expect.stringContaining(message),
      path: expect.stringContaining('dead_letter_queue'),
    });
  });

  it('shows neither its key nor the secrets of its destination', async () => {
    const { pipelines } = await load(
      `{type: destination, key: ${KEY}, destination: {type: postgresql, url: "postgresql://u:hunter2@h/db"}}`,
      `{key: ${KEY}}`,
    );
    const shown = JSON.stringify(await describeConfig(pipelines[0] as never));
    expect(shown).not.toContain(KEY);
    expect(shown).not.toContain('hunter2');
    expect(shown).toContain('"key":"***"');
  });
});
