import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { type EndedChild, FROM_SOURCES, runChild } from '../../helpers/child.ts';

const FOLDER = join(import.meta.dirname, '../../../src/watchdog');
const SOURCE = join(FOLDER, 'watchdog.ts');

function run(way: string, limitMs: number, options: { module?: string; format?: string; flags?: string[] } = {}): Promise<EndedChild> {
  const { module = SOURCE, format = 'pretty', flags = FROM_SOURCES } = options;
  return runChild(join(import.meta.dirname, 'stuck-child.ts'), [module, way, String(limitMs), format], { timeoutMs: 45_000, flags });
}

describe.concurrent('a plugin that never returns', () => {
  it.each(['loop', 'loop that catches everything', 'regular expression', 'lock'])(
    '(%s) is named, and the process ends with 1',
    async (way) => {
      const { code, err, out } = await run(way, 300);
      expect({ code, err, out }).toEqual({
        code: 1,
        out: '',
        err:
          'error: Plugin "my "loop"" has not returned for 0.3 s and blocks the process, which is ended. Nothing is lost. ' +
          'Look for an endless loop in the plugin, or let it give way with await. (PLUGIN_STUCK)\n',
      });
    },
  );

  it('is named as JSON where the log is JSON', async () => {
    const { code, err } = await run('loop', 300, { format: 'json' });
    expect([code, JSON.parse(err)]).toEqual([
      1,
      expect.objectContaining({ level: 'error', code: 'PLUGIN_STUCK', where: 'plugin "my "loop""' }),
    ]);
  });

  it('outside of JavaScript is named and killed', async () => {
    const { signal, err } = await run('native call', 300);
    expect([signal, err]).toEqual(['SIGKILL', expect.stringContaining('PLUGIN_STUCK')]);
  });

  it('is noticed by the compiled program too', async () => {
    const dist = await mkdtemp(join(tmpdir(), 'cdc-watchdog-'));
    try {
      const module = compile(dist);
      const { code, err } = await run('loop', 300, { module });
      expect([code, err]).toEqual([1, expect.stringContaining('PLUGIN_STUCK')]);
    } finally {
      await rm(dist, { recursive: true });
    }
  });
});

describe.concurrent('a process', () => {
  it.each(['many short calls', 'long work outside of plugins'])('with %s is left alone', async (way) => {
    // Each call is shorter and all together are longer than this, also where a busy machine lets this process wait for its turn.
    expect(await run(way, 1000)).toMatchObject({ code: 0, out: 'came through\n', err: '' });
  });

  it('that is debugged is left alone', async () => {
    const { err } = await run('long work outside of plugins', 1, { flags: ['--inspect=0', ...FROM_SOURCES] });
    expect(err).not.toContain('PLUGIN_STUCK');
  });
});

/** The watchdog as `npm run build` leaves it: JavaScript only, beside what it imports. Returns its module. */
function compile(dist: string): string {
  writeFileSync(join(dist, 'package.json'), '{"type":"module"}');
  for (const file of ['watchdog/watchdog', 'watchdog/worker', 'sdk/errors']) {
    mkdirSync(join(dist, file, '..'), { recursive: true });
    const { outputText } = ts.transpileModule(readFileSync(join(FOLDER, '..', `${file}.ts`), 'utf8'), {
      compilerOptions: {
        module: ts.ModuleKind.ESNext,
        target: ts.ScriptTarget.ES2023,
        rewriteRelativeImportExtensions: true,
        verbatimModuleSyntax: true,
      },
    });
    writeFileSync(join(dist, `${file}.js`), outputText);
  }
  writeFileSync(join(dist, 'sdk/index.js'), `export * from './errors.js';\n`);
  return join(dist, 'watchdog/watchdog.js');
}
