// `--set`: paths, values, and where they may lead.

import { describe, expect, it } from 'vitest';
import { formatIssue, parsePipelineText } from '../../../src/config/load.ts';
import { parseOverrides, parsePath } from '../../../src/config/override.ts';

const TEXT = 'name: p\nsource: {type: generator}\ndestinations: [{type: "null"}, {type: console}]\n';
const load = (set: string[], env: Record<string, string> = {}) => parsePipelineText(TEXT, { file: 'p.yaml', baseDir: '/', env, set });

describe('paths', () => {
  it.each([
    ['a', ['a']],
    ['a.b', ['a', 'b']],
    ['destinations[0].path', ['destinations', 0, 'path']],
    ['a["b.c"].d', ['a', 'b.c', 'd']],
    ['a.b-c', ['a', 'b-c']],
  ])('%s', (text, path) => {
    expect(parsePath(text)).toEqual(path);
  });

  it.each(['', '.a', 'a.', 'a..b', 'a[x]', 'a[0', 'a[-1]', 'a b', 'a.__proto__', '[0]x'])('%j is none', (text) => {
    expect(parsePath(text)).toBeNull();
  });
});

describe('values', () => {
  it.each([
    ['5', 5],
    ['"5"', '5'],
    ['true', true],
    ['yes', 'yes'],
    ['', ''],
    ['null', null],
    ['a=b', 'a=b'],
    ['[1, 2]', '[1, 2]'],
    ['{a: 1}', '{a: 1}'],
    ['a: b', 'a: b'],
    ['*/5 * * * *', '*/5 * * * *'],
    ['12345678901234567890', '12345678901234567890'],
    ['# x', '# x'],
  ])('%s', (text, value) => {
    const { overrides } = parseOverrides([`k=${text}`]);
    expect(overrides.map((override) => override.value)).toEqual([value]);
  });
});

describe('overrides', () => {
  it('changes, adds and appends', async () => {
    const {
      pipelines: [pipeline],
      problems,
    } = await load([
      'name=q',
      'sync.mode=one_time',
      'destinations[0].encode=true',
      'destinations[1].name=out',
      'destinations[2].type=null',
    ]);
    expect(problems.map(formatIssue)).toEqual([
      '--set destinations[2].type CONFIG_INVALID_VALUE the path leads into something that is not there, or is neither a list nor a mapping\n  fix: Compare the path with the file.',
    ]);
    expect(pipeline).toBeUndefined();
    const good = await load(['name=q', 'sync.mode=one_time', 'destinations[0].encode=true', 'destinations[1].name=out']);
    expect(good.pipelines[0]).toMatchObject({
      name: 'q',
      sync: { mode: 'one_time' },
      destinations: [{ config: { encode: true } }, { name: 'out' }],
    });
  });

  it('replaces variables in them too', async () => {
    const { pipelines } = await load(['name=${N}'], { N: 'from-env' });
    expect(pipelines[0]?.name).toBe('from-env');
  });

  it.each([
    [
      'nonsense',
      '--set nonsense CONFIG_INVALID_VALUE this is not of the form key=value\n  fix: Write it like --set sync.batch_size=500 or --set destinations[0].path=out.ndjson.',
    ],
    ['sync.batch_size=many', '--set sync.batch_size CONFIG_WRONG_TYPE sync.batch_size must be a whole number, found "many"'],
    [
      'sync.batchsize=5',
      '--set sync.batchsize CONFIG_UNKNOWN_KEY unknown key "batchsize" in sync; did you mean "batch_size"?\n  fix: Rename it to batch_size.',
    ],
    ['source=5', '--set source CONFIG_WRONG_TYPE source must be a mapping of keys, found 5'],
  ])('%s names itself as the place', async (set, expected) => {
    const { problems } = await load([set]);
    expect(problems.map(formatIssue)).toEqual([expected]);
  });
});
