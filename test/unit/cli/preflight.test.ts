import { describe, expect, it } from 'vitest';
import { preflight } from '../../../src/cli/preflight.ts';
import { CdcError, type Clock, type Descriptor, type Finding } from '../../../src/sdk/index.ts';
import { fakeConfig, stoppedClock } from '../observability/fake-status.ts';

/** A descriptor of whose instances only `check` and `close` may be used. */
function checking(check: () => AsyncIterable<Finding>, closed: string[] = []): (kind: Descriptor['kind']) => Promise<Descriptor> {
  return async (kind) =>
    ({
      kind,
      create: async () => ({
        check,
        close: async () => {
          closed.push(kind);
        },
      }),
    }) as unknown as Descriptor;
}

describe('preflight', () => {
  it('collects the findings of every source and destination, and closes them', async () => {
    const closed: string[] = [];
    const found = await preflight(
      fakeConfig(),
      stoppedClock,
      checking(async function* () {
        yield { level: 'ok', check: 'reachable', message: 'yes' };
        yield { level: 'error', check: 'privileges', message: 'no', fix: 'Grant them.' };
      }, closed),
    );
    expect(found.map((f) => [f.component, f.findings.map((x) => x.level)])).toEqual([
      ['source shop (sqlite)', ['ok', 'error']],
      ['destination replica (sqlite)', ['ok', 'error']],
    ]);
    expect(closed.sort()).toEqual(['destination', 'source']);
  });

  it('takes an adapter that cannot be made, or that throws, as a finding, and keeps what it found before', async () => {
    const [failed] = await preflight(fakeConfig(), stoppedClock, async () => {
      throw new CdcError('DEPENDENCY_MISSING', 'no driver', { fix: 'npm install it.' });
    });
    expect(failed?.findings).toEqual([
      { level: 'error', check: 'open', message: 'no driver', code: 'DEPENDENCY_MISSING', fix: 'npm install it.' },
    ]);
    const [thrown] = await preflight(
      fakeConfig(),
      stoppedClock,
      checking(async function* () {
        yield { level: 'ok', check: 'reachable', message: 'yes' };
        throw new Error('boom');
      }),
    );
    expect(thrown?.findings).toMatchObject([{ check: 'reachable' }, { level: 'error', message: 'boom' }]);
  });

  it('does not wait forever for a server that does not answer', async () => {
    const hasty: Clock = { now: () => 0, sleep: () => Promise.resolve() };
    const [found] = await preflight(
      fakeConfig(),
      hasty,
      checking(async function* () {
        await new Promise(() => {});
      }),
    );
    expect(found?.findings).toMatchObject([{ level: 'error', check: 'answers' }]);
  });
});
