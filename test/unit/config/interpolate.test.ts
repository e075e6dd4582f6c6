// Variables: every form, and that a value can change nothing but the text it stands in.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { interpolate, interpolateDocument } from '../../../src/config/interpolate.ts';
import { parsePipelineText } from '../../../src/config/load.ts';
import { parseYaml } from '../../../src/config/parse.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cdc-interpolate-'));
  writeFileSync(join(folder, 'secret'), 's3cr3t\n');
  writeFileSync(join(folder, 'two-lines'), 'a\nb\r\n');
  writeFileSync(join(folder, 'binary'), new Uint8Array([0xff, 0xfe]));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const ENV = { A: 'a', EMPTY: '', B: 'b', TRICKY: '${A} $${A} \n- x: {y}' };

describe('interpolate', () => {
  it.each([
    ['plain', 'plain'],
    ['${A}', 'a'],
    ['x${A}y${B}z', 'xaybz'],
    ['${EMPTY}', ''],
    ['${EMPTY:-d}', 'd'],
    ['${NONE:-d}', 'd'],
    ['${NONE:-}', ''],
    ['${A:-d}', 'a'],
    ['${A:?needed}', 'a'],
    ['${NONE:-${A}}', 'a'],
    ['${NONE:-${NONE:-deep}}', 'deep'],
    ['${A:-${NONE}}', 'a'],
    ['${NONE:-a:-b}', 'a:-b'],
    ['$${A}', '${A}'],
    ['$$${A}', '$${A}'],
    ['$A $ {A} {A} cdc.{schema}', '$A $ {A} {A} cdc.{schema}'],
    ['${TRICKY}', '${A} $${A} \n- x: {y}'],
  ])('%s → %s', (text, expected) => {
    expect(interpolate(text, ENV)).toMatchObject({ text: expected, problems: [] });
  });

  it.each([
    ['${NONE}', 'CONFIG_VARIABLE_MISSING', 'the variable NONE is not set'],
    ['${EMPTY:?fill it}', 'CONFIG_VARIABLE_MISSING', 'the variable EMPTY is not set: fill it'],
    ['${NONE:?}', 'CONFIG_VARIABLE_MISSING', 'the variable NONE is not set: it is required'],
    ['${NONE:-${ALSO}}', 'CONFIG_VARIABLE_MISSING', 'the variable ALSO is not set'],
    ['${}', 'CONFIG_INVALID_VALUE', 'a `${` does not begin a variable'],
    ['${1A}', 'CONFIG_INVALID_VALUE', 'a `${` does not begin a variable'],
    ['${A', 'CONFIG_INVALID_VALUE', 'a `${` does not begin a variable'],
    ['${A-d}', 'CONFIG_INVALID_VALUE', 'a `${` does not begin a variable'],
    ['${A:-open', 'CONFIG_INVALID_VALUE', 'a `${` is not closed'],
    ['${constructor}', 'CONFIG_VARIABLE_MISSING', 'the variable constructor is not set'],
    ['${file:/no/such/file}', 'CONFIG_SECRET_FILE', 'the file /no/such/file does not exist'],
    ['${file:/}', 'CONFIG_SECRET_FILE', 'the file / is a folder'],
    ['${A:-'.repeat(100), 'CONFIG_INVALID_VALUE', 'variables nest too deeply'],
  ])('%s is a problem', (text, code, message) => {
    expect(interpolate(text, ENV).problems.map((problem) => [problem.code, problem.message])).toContainEqual([code, message]);
  });

  it('reads files without their last line break', () => {
    const env = { DIR: folder };
    expect(interpolate('${file:${DIR}/secret}', env)).toMatchObject({ text: 's3cr3t', secrets: ['s3cr3t'] });
    expect(interpolate('${file:${DIR}/two-lines}', env).text).toBe('a\nb');
    expect(interpolate('${file:${DIR}/binary}', env).problems[0]?.message).toBe(`the file ${folder}/binary is not UTF-8 text`);
  });
});

describe('a document', () => {
  it('keeps its structure whatever the variables hold', async () => {
    const text = 'a: ${V}\nb: [x, "${V}", {c: "- ${V}: y"}]\nd: "${V:-z}"\n';
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string(),
          fc.string({ unit: fc.constantFrom('{', '}', '[', ']', ':', '-', ' ', '\n', '"', "'", '#', '&', '*', '!', '$', 'a') }),
        ),
        async (value) => {
          const { documents } = parseYaml(text, 'p.yaml', '/');
          const document = documents[0];
          if (document === undefined) throw new Error('no document');
          interpolateDocument(document, { V: value });
          expect(document.value).toEqual({ a: value, b: ['x', value, { c: `- ${value}: y` }], d: value === '' ? 'z' : value });
          expect(document.problems).toEqual([]);
        },
      ),
    );
  });

  it('turns texts of variables into what the schema wants, and leaves literal ones alone', async () => {
    const text =
      'source: {type: generator, rate: "${RATE}", seed: "${SEED}"}\ndestination: {type: "null", encode: "${YES}", batch_size: "${SIZE}", batch_timeout: "${TIME}"}\n';
    const load = (env: Record<string, string>) => parsePipelineText(text, { file: 'p.yaml', baseDir: '/', env });
    const {
      pipelines: [pipeline],
      problems,
    } = await load({ RATE: '12.5', SEED: '7', YES: 'true', SIZE: '50', TIME: '200ms' });
    expect(problems).toEqual([]);
    expect(pipeline?.sources[0]?.config).toMatchObject({ rate: 12.5, seed: 7 });
    expect(pipeline?.destinations[0]).toMatchObject({ config: { encode: true }, batch: { maxEvents: 50, timeoutMs: 200 } });
    const bad = await load({ RATE: '0x10', SEED: '7.5', YES: 'yes', SIZE: ' 50', TIME: 'soon' });
    expect(bad.problems.map(({ path }) => path)).toEqual([
      'source.rate',
      'source.seed',
      'destination.encode',
      'destination.batch_size',
      'destination.batch_timeout',
    ]);
  });
});
