// Plugins of users may use all of JSON Schema; their problems are reported like any other.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatIssue, parsePipelineText } from '../../../src/config/load.ts';

let folder: string;
const plugin = (name: string, config: string, more = ''): void => {
  writeFileSync(
    join(folder, `${name}.mjs`),
    `export const descriptor = { kind: 'transformer', type: '${name}', title: '', config: ${config}, create: () => ({ transform: (e) => e }) ${more} };\n`,
  );
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cdc-user-schemas-'));
  plugin(
    'refs',
    `{
    type: 'object', additionalProperties: false, required: ['first'], $defs: { name: { type: 'string', pattern: '^[a-z]+$', 'x-expected': 'a lower-case name' } },
    properties: { first: { $ref: '#/$defs/name' }, second: { $ref: '#/$defs/name' }, token: { type: 'string', 'x-secret': true, minLength: 20 }, every: { anyOf: [{ type: 'number' }, { type: 'string' }], 'x-duration': 's', default: '2m' } },
  }`,
  );
  plugin('broken', `{ type: 'object', properties: { a: { type: 'strnig' } } }`);
  plugin(
    'choosy',
    `{ type: 'object', properties: { a: { type: 'integer' }, name: { type: 'string' }, secret: { type: 'string', 'x-secret': true } } }`,
    `, validate: (c) => c.a === 13 ? [{ path: ['a'], message: 'is unlucky, say ' + c.secret + ' and ' + c.name, fix: 'Take 12.' }] : []`,
  );
  plugin('careless', `{ type: 'object' }`, `, validate: (c) => c.a.b.c`);
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

async function load(plugins: string) {
  const text = `source: {type: generator}\ndestination: {type: "null"}\nplugins: {transformers: ${plugins}}\n`;
  const { pipelines, problems } = await parsePipelineText(text, { file: 'p.yaml', baseDir: folder, env: { A: 'hunter3' } });
  return {
    config: pipelines[0]?.transformers.map(({ config }) => config),
    problems: problems.map((issue) => formatIssue(issue).replaceAll(folder, '<folder>')),
  };
}

describe('schemas of plugins', () => {
  it('may refer, and get defaults and units', async () => {
    expect(await load('[{type: ./refs.mjs, params: {first: a}}]')).toEqual({ config: [{ first: 'a', every: 120_000 }], problems: [] });
  });

  it.each([
    [
      '{type: ./refs.mjs, params: {first: A, secnd: b, token: hunter2, every: soon}}',
      [
        'p.yaml:3:61 CONFIG_INVALID_VALUE plugins.transformers[0].params.first must be a lower-case name, found "A"',
        'p.yaml:3:64 CONFIG_UNKNOWN_KEY unknown key "secnd" in plugins.transformers[0].params; did you mean "second"?\n  fix: Rename it to second.',
        'p.yaml:3:81 CONFIG_INVALID_VALUE plugins.transformers[0].params.token must be at least 20 characters long, found a text',
        'p.yaml:3:97 CONFIG_INVALID_DURATION plugins.transformers[0].params.every must be a duration such as `30s`, `5m` or `200ms`, found "soon"\n  fix: Write a number with a unit: ms, s, m, h or d.',
      ],
    ],
    ['{type: ./refs.mjs}', ['p.yaml:3:26 CONFIG_MISSING_KEY missing key "first" in plugins.transformers[0].params\n  fix: Add first.']],
    [
      '{type: ./broken.mjs}',
      [
        'p.yaml:3:33 PLUGIN_LOAD_FAILED the config schema of <folder>/broken.mjs is not valid: schema is invalid: data/properties/a/type must be equal to one of the allowed values, data/properties/a/type must be array, data/properties/a/type must match a schema in anyOf\n  fix: Correct the schema of the descriptor.',
      ],
    ],
    [
      '{type: ./choosy.mjs, params: {a: 13, secret: hunter2, name: "the ${A}"}}',
      ['p.yaml:3:59 CONFIG_INVALID_VALUE plugins.transformers[0].params.a: is unlucky, say *** and the ${A}\n  fix: Take 12.'],
    ],
    [
      '{type: ./choosy.mjs, params: {a: x, secret: hunter2}}',
      ['p.yaml:3:59 CONFIG_WRONG_TYPE plugins.transformers[0].params.a must be a whole number, found "x"'],
    ],
    [
      '{type: ./careless.mjs}',
      [
        "p.yaml:3:33 PLUGIN_LOAD_FAILED the validate function of careless failed: Cannot read properties of undefined (reading 'b')\n  fix: Correct the plugin.",
      ],
    ],
  ])('%s', async (item, expected) => {
    expect((await load(`[${item}]`)).problems).toEqual(expected);
  });
});
