// `cdc-run forget <pipeline> [--lane d]`: removes state that nobody needs any more: of a destination that is gone, or of a whole
// pipeline. Says what follows, and asks.

import { refused } from '../../engine/move-points.ts';
import type { PipelineConfig } from '../../engine/pipeline-config.ts';
import { statePlace } from '../../open-state.ts';
import type { StateStore } from '../../state/store.ts';
import { usageError } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { EXIT } from '../exit-code.ts';
import { findPipeline, openState, underLease } from '../pipeline-target.ts';
import type { ForgetFlags } from '../program/places.ts';
import { openQuestions } from '../questions.ts';

/** The usual lease, where no file says another. */
const LEASE_MS = 30_000;

export async function forget(cli: Cli, target: string, flags: ForgetFlags): Promise<number> {
  const config = await subjectOf(cli, target, flags);
  const store = await openState(config);
  try {
    const { name } = config;
    const consequences = flags.lane === undefined ? ofPipeline(config) : await ofLane(config, store, flags.lane);
    if (!flags.yes && !(await confirmed(cli, consequences))) {
      if (cli.output.json) cli.output.document({ ok: true, applied: false, consequences });
      else cli.output.print([...consequences, 'Nothing was changed. Add --yes to do it.']);
      return EXIT.ok;
    }
    const { lane } = flags;
    await underLease(cli, { pipeline: name, store, leaseMs: config.state.leaseMs }, async ({ save, owner }) => {
      if (lane === undefined) return store.forget(name, owner);
      await ofLane(config, store, lane); // once more: nobody runs the pipeline from here on
      await save({ lanes: { [lane]: null } });
    });
    if (cli.output.json) cli.output.document({ ok: true, applied: true, consequences });
    else cli.output.print([`${cli.output.colors.green('✔')} forgotten: ${lane === undefined ? `pipeline ${name}` : `${lane} of ${name}`}`]);
    return EXIT.ok;
  } finally {
    await store.close();
  }
}

type Subject = Pick<PipelineConfig, 'name' | 'sources' | 'destinations'> & {
  readonly state: Pick<PipelineConfig['state'], 'path' | 'url' | 'leaseMs'>;
};

/** With --state the pipeline needs no file any more. */
async function subjectOf(cli: Cli, target: string, { config, state }: ForgetFlags): Promise<Subject> {
  if (state === undefined) return findPipeline(cli, target, config);
  return { name: target, sources: [], destinations: [], state: { ...statePlace(state), leaseMs: LEASE_MS } };
}

async function confirmed(cli: Cli, consequences: readonly string[]): Promise<boolean> {
  const questions = cli.output.json ? null : openQuestions(cli);
  if (questions === null) return false;
  try {
    cli.output.note(consequences);
    const answer = await questions.ask('Forget it? (yes/no)', 'no');
    if (!/^(y|yes|n|no)$/i.test(answer)) throw usageError(`${JSON.stringify(answer)} is neither yes nor no`, 'Answer yes or no.');
    return /^y/i.test(answer);
  } finally {
    questions.close();
  }
}

function ofPipeline({ name, destinations, sources }: Subject): string[] {
  const names = (of: readonly { readonly name: string }[]): string => (of.length === 0 ? '' : ` (${of.map((c) => c.name).join(', ')})`);
  return [
    `All state of pipeline ${name} is removed: positions, checkpoints, runs, errors, stored values of plugins.`,
    `Destinations keep their rows; those${names(destinations)} that keep a point go on from it at the next start.`,
    `If a source${names(sources)} was told that it may forget what it sent, the others may stop with STATE_LOST then.`,
  ];
}

async function ofLane(config: Subject, store: StateStore, lane: string): Promise<string[]> {
  const { lanes } = await store.load(config.name);
  const known = lanes[lane];
  if (known === undefined) {
    throw refused(
      { pipeline: config.name },
      `the state has no destination "${lane}"`,
      `Use one of: ${Object.keys(lanes).join(', ') || '(there is none)'}.`,
    );
  }
  const configured = config.destinations.find((d) => d.name === lane);
  if (configured !== undefined && known.detached === null) {
    throw refused(
      { pipeline: config.name },
      `destination "${lane}" is still configured, and not detached`,
      'Remove it from the file first; or move its point with `cdc-run offsets set`.',
    );
  }
  if (configured === undefined) return [`The place of ${lane} is removed. A destination of that name that comes later joins as a new one.`];
  return [
    `The gap of ${lane} is forgotten with its place: it joins anew by \`start: ${configured.start}\` at the next start.`,
    'If it still holds a point it is detached again: then empty it first, its point table included.',
  ];
}
