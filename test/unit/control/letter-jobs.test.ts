// `dlq` on a control socket: one command at a time, which goes on when its client is gone and is asked again by its token.

import { describe, expect, it } from 'vitest';
import { LetterJobs, type LetterTools, readReport } from '../../../src/control/letter-jobs.ts';
import { type LettersAsk, parseRequest } from '../../../src/control/protocol.ts';
import type { DeadLetterStore } from '../../../src/dead-letters/store.ts';
import type { DeadLetter, PipelineHandle } from '../../../src/engine/api.ts';
import { CdcError, type Clock } from '../../../src/sdk/index.ts';
import { component, destination, memoryDeps, pipeline } from '../../helpers/pipeline.ts';
import { letter } from '../dead-letters/samples.ts';

const ask = (more: Partial<LettersAsk> = {}): LettersAsk => ({
  action: 'replay',
  token: 'a',
  ids: [],
  codes: [],
  before: null,
  force: false,
  cancel: false,
  ...more,
});

/** A pipeline whose destination takes no errand until it is let. */
function world() {
  let ring = (): void => {};
  const clock: Clock = {
    now: () => 0,
    sleep: (_ms, signal) =>
      new Promise((resolve) => {
        ring = resolve;
        signal?.addEventListener('abort', () => resolve(), { once: true });
      }),
  };
  const config = pipeline({ name: 'test', sources: [component('fake_log')], destinations: [destination('copy')] });
  const held: DeadLetter[] = [{ ...letter(1), pipeline: 'test', lane: 'copy', stage: 'write', component: 'copy' }];
  const store = {
    letters: async function* () {
      yield* held;
    },
    remove: async (ids: ReadonlySet<string>) => held.splice(0).filter((l) => ids.has(l.id)).length,
  } as unknown as DeadLetterStore;
  const one = { queue: store, store, cipher: null, place: 'memory', config: { type: 'file', path: 'q', key: null } } as const;
  const tools: LetterTools = { deps: { ...memoryDeps([]), clock }, queues: { all: [one], of: () => one, close: async () => {} } };
  let asked = (): void => {};
  const isAsked = new Promise<void>((resolve) => (asked = resolve));
  let refuse = (): void => {};
  const pause = () =>
    new Promise((_, reject) => {
      refuse = () => reject(new CdcError('DLQ_BUSY', 'no time'));
      asked();
    });
  const handle = { name: 'test', config, pause } as unknown as PipelineHandle;
  const jobs = new LetterJobs();
  return {
    held,
    isAsked,
    refuse: () => refuse(),
    ask: (more: Partial<LettersAsk> = {}) => jobs.ask(handle, tools, ask(more)),
    late: (more: Partial<LettersAsk> = {}) => {
      const answer = jobs.ask(handle, tools, ask(more));
      ring();
      return answer;
    },
  };
}

describe('a command about dead letters', () => {
  it('is answered after a while that it is not done, and with its report by the same token', async () => {
    const { ask: asking, isAsked, late, refuse } = world();
    expect(await late()).toEqual({ done: false });
    await expect(asking({ token: 'b' })).rejects.toMatchObject({ code: 'DLQ_BUSY' });
    await isAsked;
    refuse();
    for (const _ of [1, 2]) {
      const answer = await asking();
      if (!answer.done || !('report' in answer)) throw new Error('no report');
      // As it travels.
      const report = readReport(JSON.parse(JSON.stringify(answer.report)) as typeof answer.report);
      expect(report).toMatchObject({ letters: [], untried: 1, error: { code: 'DLQ_BUSY', message: 'no time' } });
    }
    // It is over: another one may begin.
    expect(await late({ token: 'b' })).toEqual({ done: false });
  });

  it('about letters of a destination that is not configured any more needs nobody to wait', async () => {
    const { ask: asking, held } = world();
    held.splice(0, 1, { ...(held[0] as DeadLetter), lane: 'gone' });
    expect(await asking({ action: 'purge' })).toEqual({ done: true, removed: 1 });
  });

  it('tells of each letter what became of it, with its rows for the first of a kind only', async () => {
    const { ask: asking, held } = world();
    held.push({ ...(held[0] as DeadLetter), id: 'other' });
    for (const [i, one] of held.entries()) held[i] = { ...one, lane: 'gone' };
    const answer = await asking();
    if (!answer.done || !('report' in answer)) throw new Error('no report');
    const { letters, error } = readReport(answer.report);
    expect([letters.map((l) => [l.outcome, l.error?.code, l.letter.event === null]), error]).toEqual([
      [
        ['impossible', 'DLQ_NOT_REPLAYABLE', false],
        ['impossible', 'DLQ_NOT_REPLAYABLE', true],
      ],
      null,
    ]);
  });
});

it.each([
  ['nothing', {}],
  ['another action', { ...ask(), action: 'eat' }],
  ['no token', { ...ask(), token: 1 }],
  ['ids that are no names', { ...ask(), ids: [1] }],
  ['a time that is none', { ...ask(), before: 'now' }],
])('a request with %s is not understood', (_title, letters) => {
  expect(() => parseRequest(JSON.stringify({ cmd: 'dlq', letters }))).toThrow(expect.objectContaining({ code: 'CONTROL_BAD_REQUEST' }));
  expect(parseRequest(JSON.stringify({ cmd: 'dlq', letters: ask() }))).toMatchObject({ letters: ask() });
});
