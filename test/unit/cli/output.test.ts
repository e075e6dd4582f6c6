import { describe, expect, it } from 'vitest';
import { Output, wantsColor } from '../../../src/cli/output.ts';
import { CdcError } from '../../../src/sdk/index.ts';
import { type FakeWorld, fakeWorld } from './world.ts';

const unreachable = new CdcError(
  'SOURCE_UNREACHABLE',
  'Nobody answers at postgresql://app:hunter2@db:5432/shop.\n\u001b[2Jconnection refused',
  {
    where: 'sources[0].url',
    fix: 'Start the server, or correct `sources[0].url`.',
  },
);

function output(world: FakeWorld, json = false): Output {
  return new Output(world.stdout, world.stderr, world.env, json);
}

describe('Output', () => {
  it('shows an error as one block: code, place, what happened, what to do', () => {
    const world = fakeWorld();
    output(world).error(unreachable);
    expect(world.out).toBe('');
    expect(world.err).toBe(
      [
        '✖ SOURCE_UNREACHABLE at sources[0].url',
        '  Nobody answers at postgresql://app:***@db:5432/shop.',
        '  \\u001b[2Jconnection refused',
        '  fix: Start the server, or correct `sources[0].url`.',
        '',
      ].join('\n'),
    );
  });

  it('shows a stack only when asked', () => {
    const world = fakeWorld();
    output(world).error(unreachable, true);
    expect(world.err).toContain('output.test.ts');
    expect(world.err).not.toContain('hunter2');
  });

  it('writes errors as a document on stdout for machines', () => {
    const world = fakeWorld();
    output(world, true).error(unreachable);
    expect(world.err).toBe('');
    expect(JSON.parse(world.out)).toMatchObject({
      ok: false,
      error: { code: 'SOURCE_UNREACHABLE', where: 'sources[0].url', retriable: false },
    });
    expect(world.out).not.toContain('hunter2');
  });

  it('wraps long lines to the width of the terminal', () => {
    const world = fakeWorld({ tty: true, columns: 50 });
    output(world).error(new CdcError('STATE_LOST', 'word '.repeat(30).trim(), { fix: 'word '.repeat(30).trim() }));
    for (const line of world.err.split('\n')) expect(line.length).toBeLessThanOrEqual(50);
  });

  it('masks secrets in results and documents', () => {
    const world = fakeWorld();
    const out = output(world);
    out.print(['see redis://:hunter2@h']);
    out.document({ password: 'hunter2', deep: [{ deeper: { url: 'amqp://u:hunter2@h' } }] });
    expect(world.out).toBe('see redis://:***@h\n{"password":"***","deep":[{"deeper":{"url":"amqp://u:***@h"}}]}\n');
  });
});

describe('wantsColor', () => {
  it.each([
    ['on a terminal', true, {}, true],
    ['not elsewhere', false, {}, false],
    ['not with NO_COLOR', true, { NO_COLOR: '1' }, false],
    ['with an empty NO_COLOR', true, { NO_COLOR: '' }, true],
    ['not on a dumb terminal', true, { TERM: 'dumb' }, false],
    ['anywhere with FORCE_COLOR', false, { FORCE_COLOR: '1' }, true],
    ['not with both', false, { FORCE_COLOR: '1', NO_COLOR: '1' }, false],
  ])('%s', (_title, isTTY, env, wanted) => {
    expect(wantsColor({ write: () => true, isTTY }, env)).toBe(wanted);
  });
});
