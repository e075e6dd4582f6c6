import { readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { packageRoot } from '../../../src/package-info.ts';
import { cli, fakeWorld } from './world.ts';

describe('the command line', () => {
  it('shows help with examples for --help, and for each command', async () => {
    const { code, out } = await cli(['--help']);
    expect(code).toBe(0);
    for (const text of ['Usage: cdc-run <files...>', 'Examples:', '--until-caught-up', 'Exit codes:', 'generate-config, init'])
      expect(out).toContain(text);
    for (const name of ['run', 'start', 'validate', 'plan', 'status', 'init', 'adapters', 'schema', 'dlq', 'audit']) {
      const page = (await cli([name, '--help'])).out;
      expect(page).toContain('Examples:\n  $ cdc-run ');
      expect(page).toContain('--set <path=value>');
    }
    expect((await cli(['help', 'validate'])).out).toContain('--connect');
  });

  it('fits on a terminal of 120 columns', async () => {
    for (const line of (await cli(['--help'])).out.split('\n')) expect(line.length).toBeLessThanOrEqual(120);
  });

  it('shows how to use it when nothing was asked, and says that this is no success', async () => {
    const { code, out, err } = await cli([]);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain('Usage: cdc-run <files...>');
  });

  it('prints the version of the package', async () => {
    const { version } = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { version: string };
    expect(await cli(['--version'])).toMatchObject({ code: 0, out: `${version}\n` });
    expect(await cli(['-V'])).toMatchObject({ code: 0, out: `${version}\n` });
  });

  it.each([
    [['valdate', 'x.yaml'], 'There is no command and no file "valdate"', 'cdc-run validate'],
    [['--json', 'stats'], 'There is no command and no file "stats"', 'cdc-run status'],
    [['--limit', '5', 'run', 'x.yaml'], '"run" is a command, and must come first', 'cdc-run run'],
    [['run', 'x.yaml', '--limt', '5'], "Unknown option '--limt'", '--limit'],
    [['x.yaml', '--untilcaughtup'], "Unknown option '--untilcaughtup'", '--until-caught-up'],
    [['plan', 'x.yaml', '--jsn'], "Unknown option '--jsn'", '--json'],
    [['run', '--limit'], "Option '--limit <n>' argument missing", '--help'],
    [['run', 'x.yaml', '--limit', '0'], '--limit "0" is not a positive whole number', '--limit 1000'],
    [['--log-level', 'loud', 'x.yaml'], '--log-level "loud" is not known', 'debug, info'],
    [['--set', 'novalue', 'x.yaml'], '--set "novalue" is not path=value', '--set sync.mode=one_time'],
    [['adapters', 'extra'], 'Too many arguments', '--help'],
    [['dlq', 'lst', 'orders'], 'Unknown action "lst" of dlq', 'cdc-run dlq list orders'],
    [['dlq', 'show', 'orders'], 'No letter was named', 'dlq list orders --all'],
    [['dlq', 'replay', 'orders', 'x'], 'dlq replay takes no "x"', '--id x'],
    [['dlq', 'purge', 'orders', '--before', 'soon'], '--before "soon" is not a time', '--before 30d'],
    [['audit', 'verfy', 'x.log'], 'Unknown action "verfy" of audit', 'cdc-run audit verify x.log'],
    [['run'], 'No pipeline file was named', 'cdc-run init'],
  ])('refuses %j and says what was meant', async (argv, message, fix) => {
    const { error, out } = await cli(argv);
    expect(out).toBe('');
    expect(error).toMatchObject({ code: 'USAGE_INVALID', message: expect.stringContaining(message), fix: expect.stringContaining(fix) });
  });

  it('takes options of all commands before and behind the command', async () => {
    const before = await cli(['--json', 'validate', 'no/such.yaml']);
    const behind = await cli(['validate', 'no/such.yaml', '--json']);
    expect(before).toEqual(behind);
    expect(before.code).toBe(2);
    expect(JSON.parse(before.out)).toMatchObject({ ok: false, problems: [{ code: 'CONFIG_FILE_UNREADABLE' }] });
  });

  it('takes files with -c as well as by name', async () => {
    const { out } = await cli(['validate', '--json', 'a.yaml', '-c', 'b.yaml', '--config', 'c.yaml'], fakeWorld());
    expect((JSON.parse(out) as { problems: { file: string }[] }).problems.map((p) => p.file)).toEqual(['a.yaml', 'b.yaml', 'c.yaml']);
  });
});

describe('a start', () => {
  it('loads nothing but the command line itself: no adapter, no driver, no schema library', () => {
    const files = new Set<string>();
    const packages = new Set<string>();
    visit(resolve('src/cli/main.ts'), files, packages);
    expect([...packages].filter((name) => !name.startsWith('node:')).sort()).toEqual(['commander', 'picocolors']);
    expect(
      [...files]
        .map((file) => relative(resolve('src'), file))
        .filter((file) => !/^(cli|util)\//.test(file))
        .sort(),
    ).toEqual([
      'observability/printable.ts',
      'observability/redact.ts',
      'package-info.ts',
      'sdk/errors.ts',
      'sdk/logger.ts',
      'sdk/ports.ts',
    ]);
  });
});

/** What a module imports when it is loaded: neither types nor `import()`. */
function visit(file: string, files: Set<string>, packages: Set<string>): void {
  if (files.has(file)) return;
  files.add(file);
  for (const [, target = ''] of readFileSync(file, 'utf8').matchAll(/^(?:import|export)\s+(?!type\b)[^;]*?from '([^']+)';/gm)) {
    if (target.startsWith('.')) visit(resolve(dirname(file), target), files, packages);
    else packages.add(target);
  }
}
