// Hostile and broken files give exactly these problems. Beside each fixture stands its expected output.

import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatIssue, loadPipelines } from '../../../src/config/load.ts';

const FOLDER = resolve(import.meta.dirname, '../../fixtures/config/bad');
const names = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'));
/** None of these texts, which the fixtures use as secrets, may appear in any message. */
const SECRETS = ['hunter2', 'hunter3', 'hunter4', '8675309', 'Xsecretword'];

async function problemsOf(name: string): Promise<string> {
  const path = join(FOLDER, name);
  const { problems, pipelines } = await loadPipelines([path], { env: { CDC_TEST_WORD: 'Xsecretword' } });
  const lines = [...problems.map(formatIssue), ...pipelines.map((pipeline) => `loaded ${pipeline.name}`)];
  return `${lines.join('\n').replaceAll(`${FOLDER}/`, '')}\n`;
}

describe('files with problems', () => {
  it.each(names)('%s is reported with place, code and fix', async (name) => {
    expect(await problemsOf(name)).toBe(readFileSync(join(FOLDER, name.replace('.yaml', '.expected.txt')), 'utf8'));
  });

  it('never shows a secret', async () => {
    for (const name of names) {
      const output = await problemsOf(name);
      for (const secret of SECRETS) expect(output, name).not.toContain(secret);
    }
  });

  it('has an expectation for each fixture and a fixture for each expectation', () => {
    const expectations = readdirSync(FOLDER).filter((name) => name.endsWith('.expected.txt'));
    expect(expectations.map((name) => name.replace('.expected.txt', '.yaml'))).toEqual(names);
  });

  it('leaves Object.prototype alone', async () => {
    await problemsOf('prototype-key.yaml');
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });
});

describe('what cannot be read', () => {
  it.each([
    ['no/such/file.yaml', 'no/such/file.yaml CONFIG_FILE_UNREADABLE no/such/file.yaml does not exist'],
    ['no/such/*.yaml', 'no/such/*.yaml CONFIG_FILE_UNREADABLE no file matches no/such/*.yaml'],
    [resolve(import.meta.dirname), 'CONFIG_FILE_UNREADABLE the folder'],
  ])('%s', async (input, expected) => {
    const { problems, pipelines } = await loadPipelines([input], { env: {} });
    expect(pipelines).toEqual([]);
    expect(problems.map(formatIssue).join('\n')).toContain(expected);
  });
});
