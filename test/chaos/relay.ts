// Rows of a file go to a broker and from there to another file, while the broker and both pipelines end at random moments: nothing is
// lost on either side. What comes twice is counted.

import { appendFileSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { Started, Workspace } from '../e2e/process.ts';
import { diceOf } from '../simulation/random.ts';
import { SEED } from './victim.ts';

export interface RelayBroker {
  /** Its entries of the two pipelines. */
  readonly destination: string;
  readonly source: string;
  /** What was made at it stays when it goes away from now on. */
  ready(): Promise<void>;
  stop(): Promise<void>;
  start(): Promise<void>;
}

const ROWS = 1500;

function writePipelines(work: Workspace, { destination, source }: RelayBroker): void {
  const rest = (name: string): string => `
sync: {mode: continuous, batch_size: 50, checkpoint_interval: 100ms}
state: {path: ${name}.db}
error_handling: {retry: {initial_delay: 20ms, max_delay: 200ms}, dead_letter_queue: {type: file, path: dead-${name}.ndjson}}
`;
  work.write(
    'in.yaml',
    `
name: chaos_in
source: {type: file, path: in.ndjson, table: rows, key: [id], poll_interval: 5ms}
destination: ${destination}${rest('in')}`,
  );
  work.write(
    'out.yaml',
    `
name: chaos_out
source: ${source}
destination: {type: file, path: out.ndjson, envelope: plain}${rest('out')}`,
  );
}

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

/** Rows that a relay appends, and those that came out of it. */
class Rows {
  readonly #work: Workspace;
  last = 0;

  constructor(work: Workspace) {
    this.#work = work;
  }

  append(): void {
    const lines = Array.from({ length: ROWS }, () => JSON.stringify({ id: ++this.last, name: `row ${this.last}` }));
    appendFileSync(this.#work.path('in.ndjson'), `${lines.join('\n')}\n`);
  }

  /** Resolves when some have come, or the run that is to bring them has ended. */
  async moreBy({ child }: Started): Promise<void> {
    const out = this.#work.path('out.ndjson'),
      before = sizeOf(out);
    while (sizeOf(out) <= before && child.exitCode === null) await sleep(10);
  }

  get delivered(): number[] {
    return idsIn(this.#work);
  }
}

/** The ids of the rows in the file at the end, in order. */
export function idsIn(work: Workspace): number[] {
  return work.lines('out.ndjson').map((line) => Number((JSON.parse(line) as { after: { id: number } }).after.id));
}

/** `ids` are 1 to `last`, some perhaps more than once. */
export function expectAll(ids: readonly number[], last: number, what: string): void {
  const missing = new Set(Array.from({ length: last }, (_, i) => i + 1));
  for (const id of ids) missing.delete(id);
  console.log(`seed ${SEED}: ${last} rows over ${what}, ${ids.length - (last - missing.size)} repeats, ${missing.size} missing`);
  expect([...missing].slice(0, 10), `seed ${SEED}`).toEqual([]);
}

export async function expectRelayed(work: Workspace, broker: RelayBroker, kills: number, salt: number): Promise<void> {
  const dice = diceOf(SEED + salt),
    rows = new Rows(work),
    run = (file: string, ...more: string[]): Started => work.start([file, '--log-format', 'json', ...more]);
  const finish = async (file: string): Promise<void> => {
    const ended = await run(file, '--until-caught-up').ended;
    expect(ended.code, `seed ${SEED}: ${ended.err}`).toBe(0);
  };
  writePipelines(work, broker);
  // Its reader is known to the broker before the first row is.
  await finish('out.yaml');
  await broker.ready();
  for (let kill = 1; kill <= kills; kill++) {
    // There is always something left to deliver.
    rows.append();
    const [into, from] = [run('in.yaml'), run('out.yaml')];
    await rows.moreBy(from);
    rows.append();
    await sleep(dice.next() * 300);
    await broker.stop();
    // Pipelines outlive the broker, or one of them does not.
    const dying = dice.chance(1 / 2) ? into : from;
    if (dice.chance(2 / 3)) dying.child.kill('SIGKILL');
    await broker.start();
    await sleep(dice.next() * 1500);
    for (const { child } of [into, from]) child.kill(dice.chance(1 / 2) ? 'SIGKILL' : 'SIGTERM');
    await Promise.all([into.ended, from.ended]);
  }
  await finish('in.yaml');
  await finish('out.yaml');
  expectAll(rows.delivered, rows.last, `${kills} ends of the broker`);
}
