import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { descriptor } from '../../../src/hooks/command.ts';
import type { Hook, PluginContext } from '../../../src/sdk/index.ts';
import { AFTER_RUN, contextWith, type Logged } from './samples.ts';

type Config = Parameters<typeof descriptor.create>[0];
const NODE = process.execPath;

function hook(config: Partial<Config>, logged: Logged[] = [], changes: Partial<PluginContext> = {}): Hook & { close(): Promise<void> } {
  return descriptor.create({ command: [], shell: false, env: {}, timeout: 10_000, ...config }, contextWith(logged, changes)) as never;
}
const script = (code: string): string[] => [NODE, '-e', code];
const run = async (config: Partial<Config>): Promise<Logged[]> => {
  const logged: Logged[] = [];
  await hook(config, logged).handle(AFTER_RUN);
  return logged;
};

describe('the command', () => {
  it('gets the payload on its input, and event, pipeline and own variables in its environment', async () => {
    const logged = await run({
      command: script(
        `let s=''; process.stdin.on('data', d => s += d).on('end', () => console.log(JSON.parse(s).run.id, process.env.CDC_RUN_EVENT, process.env.CDC_RUN_PIPELINE, process.env.CHANNEL, !!process.env.PATH))`,
      ),
      env: { CHANNEL: 'ops' },
    });
    expect(logged).toEqual([{ level: 'info', message: '7 after_run orders ops true' }]);
  });

  it('of a list is read by no shell', async () => {
    expect(await run({ command: [...script('console.log(process.argv.slice(1).join("|"))'), '$HOME; echo x', '*'] })).toEqual([
      { level: 'info', message: '$HOME; echo x|*' },
    ]);
  });

  it('of a text is run by the shell when that is asked for', async () => {
    expect(await run({ command: 'echo "$CDC_RUN_EVENT" | tr a-z A-Z; echo problem >&2', shell: true })).toEqual(
      expect.arrayContaining([
        { level: 'info', message: 'AFTER_RUN' },
        { level: 'warn', message: 'problem' },
      ]),
    );
  });

  it('need not read its input', async () => {
    await run({ command: ['true'] });
  });

  it('is logged up to a bound', async () => {
    const logged = await run({ command: script('for (let i = 0; i < 5000; i++) console.log("x".repeat(10_000))') });
    expect([logged.length, logged[0]?.message.length]).toEqual([200, 4000]);
  });

  const failures: [string, Partial<Config>, string, RegExp][] = [
    ['ends with an exit code', { command: script('process.exit(3)') }, 'PLUGIN_FAILED', /exit code 3/],
    ['is killed by a signal', { command: script('process.kill(process.pid, "SIGTERM")') }, 'PLUGIN_FAILED', /killed by SIGTERM/],
    ['does not exist', { command: ['./no-such-program'] }, 'PLUGIN_FAILED', /cannot be run: .*ENOENT/],
    ['cannot be given to a program', { command: ['a\u0000b'] }, 'PLUGIN_FAILED', /cannot be run/],
    ['takes too long', { command: script('setInterval(() => {}, 1000)'), timeout: 200 }, 'PLUGIN_TIMEOUT', /within 0\.2 s/],
  ];
  it.each(failures)('fails when it %s', async (_title, config, code, message) => {
    await expect(run(config)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
      where: 'hook "notify"',
      fix: expect.any(String),
    });
  });

  it('is killed with all that it has started', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'cdc-hook-'));
    try {
      const marker = join(dir, 'pid');
      await expect(run({ command: `sleep 30 & echo $! > ${marker}; wait`, shell: true, timeout: 1000 })).rejects.toMatchObject({
        code: 'PLUGIN_TIMEOUT',
      });
      // Gone, or dead and not yet collected by the process that inherited it.
      const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', readFileSync(marker, 'utf8').trim()]);
      expect(String(stdout)).toMatch(/^(Z.*)?\n?$/);
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  it('does not wait for what outlives it', async () => {
    const before = performance.now();
    expect(await run({ command: 'echo started; sleep 8 & exit 0', shell: true })).toEqual([{ level: 'info', message: 'started' }]);
    // It keeps the output open all that time.
    expect(performance.now() - before).toBeLessThan(7000);
  });

  it('is killed when the pipeline ends', async () => {
    const one = hook({ command: script('setInterval(() => {}, 1000)') });
    const handled = one.handle(AFTER_RUN);
    await one.close();
    await expect(handled).rejects.toMatchObject({ code: 'PLUGIN_FAILED', message: expect.stringMatching(/pipeline ended/) });
  });
});

describe('the configuration', () => {
  const cases: [Partial<Config>, string[]][] = [
    [{ command: ['./x.sh'] }, []],
    [{ command: 'x | y', shell: true }, []],
    [{ command: 'x | y' }, ['command']],
    [{ command: ['x'], shell: true }, ['shell']],
  ];
  it.each(cases)('%o has problems at %j', (config, paths) => {
    const problems = descriptor.validate?.({ command: [], shell: false, env: {}, timeout: 1, ...config }) ?? [];
    expect(problems.map((p) => p.path.join('.'))).toEqual(paths);
  });
});
