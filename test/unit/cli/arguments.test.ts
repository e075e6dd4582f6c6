import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { logLevelOf, parseChoice, parseLimit, parseSet } from '../../../src/cli/arguments.ts';
import { environment } from '../../../src/cli/environment.ts';

const usage = expect.objectContaining({ code: 'USAGE_INVALID' });

describe('--limit', () => {
  it.each([
    ['1', 1],
    ['1000', 1000],
    ['1_000', 1000],
  ])('takes %s', (text, n) => {
    expect(parseLimit(text)).toBe(n);
  });

  it.each(['0', '-1', '1.5', 'x', '', '1e3', '99999999999999999999'])('refuses %j', (text) => {
    expect(() => parseLimit(text)).toThrow(usage);
  });
});

describe('--set', () => {
  it.each(['sync.mode=one_time', 'a=', 'a.b=c=d', 'sources[0].path=x y'])('takes %j', (text) => {
    expect(parseSet(text, ['before'])).toEqual(['before', text]);
  });

  it.each(['', 'a', '=b', ' a=b'])('refuses %j', (text) => {
    expect(() => parseSet(text, [])).toThrow(usage);
  });
});

describe('the log level', () => {
  it.each([
    [null, undefined, 'info'],
    [null, '', 'info'],
    [null, 'DEBUG', 'debug'],
    ['error', 'debug', 'error'],
  ] as const)('is of option %s and LOG_LEVEL %s: %s', (option, env, level) => {
    expect(logLevelOf(option, env)).toBe(level);
  });

  it('is refused when nobody knows it', () => {
    expect(() => logLevelOf(null, 'loud')).toThrow(usage);
    expect(() => parseChoice('--x', ['a', 'b'])('c')).toThrow('--x "c" is not known');
  });
});

describe('--env-file', () => {
  it('gives variables that the process does not have; the last file wins', () => {
    const folder = mkdtempSync(join(tmpdir(), 'cdc-env-'));
    try {
      writeFileSync(join(folder, 'a'), 'A=1\nB="two words"\n# note\nexport C=3\nOWN=file\n');
      writeFileSync(join(folder, 'b'), 'A=9\n');
      expect(environment({ OWN: 'process' }, [join(folder, 'a'), join(folder, 'b')])).toEqual({
        A: '9',
        B: 'two words',
        C: '3',
        OWN: 'process',
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('is an error of the configuration when it cannot be read', () => {
    expect(() => environment({}, ['no/such/.env'])).toThrow(expect.objectContaining({ code: 'CONFIG_FILE_UNREADABLE' }));
  });
});
