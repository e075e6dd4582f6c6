// `cdc-run dlq <action> <pipeline>`: finds the pipeline and its queues; list, show and export read, the others are in dlq-change.ts.

import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { suggest } from '../../config/suggest.ts';
import { Causes, shortIdOf } from '../../dead-letters/causes.ts';
import { formatLetter } from '../../dead-letters/letter-codec.ts';
import { type OpenQueues, openQueues } from '../../dead-letters/open.ts';
import { unprotect } from '../../dead-letters/protection.ts';
import { isCalled } from '../../dead-letters/selection.ts';
import type { DeadLetter } from '../../engine/api.ts';
import type { PipelineConfig } from '../../engine/pipeline-config.ts';
import { packageVersion } from '../../package-info.ts';
import { CdcError } from '../../sdk/errors.ts';
import { silentLogger } from '../../sdk/logger.ts';
import { systemRandom } from '../../sdk/ports.ts';
import { usageError } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { causeLines, letterLines, letterRows } from '../dlq-text.ts';
import { EXIT } from '../exit-code.ts';
import { plural } from '../format.ts';
import { loadOrReport, PIPELINES_FOLDER } from '../load.ts';
import type { DlqFlags } from '../program/set-aside.ts';

const ACTIONS = ['list', 'show', 'export', 'purge', 'replay'] as const;
type Action = (typeof ACTIONS)[number];

export async function dlq(cli: Cli, args: readonly string[], flags: DlqFlags): Promise<number> {
  const [action = '', name = '', id] = args;
  assertAction(action, name, id);
  const config = await findPipeline(cli, name, flags.config);
  if (config === null) return EXIT.configuration;
  if (action === 'purge') return (await import('./dlq-change.ts')).purge(cli, config, flags);
  if (action === 'replay') return (await import('./dlq-change.ts')).replay(cli, config, flags);
  const queues = await queuesOf(cli, config);
  try {
    assertReadable(queues);
    if (action === 'show') return await show(cli, config, queues, id as string, flags);
    return action === 'export' ? await exportLetters(cli, config, queues, flags) : await list(cli, config, queues, flags);
  } finally {
    await queues.close();
  }
}

function assertAction(action: string, name: string, id: string | undefined): asserts action is Action {
  if (!ACTIONS.some((known) => known === action)) {
    const meant = suggest(action, ACTIONS);
    throw usageError(
      `Unknown action "${action}" of dlq`,
      meant === undefined ? `Use one of: ${ACTIONS.join(', ')}.` : `Did you mean \`cdc-run dlq ${meant} ${name}\`?`,
    );
  }
  if (action === 'show' && id === undefined)
    throw usageError('No letter was named', `Write \`cdc-run dlq show ${name} <id>\`; \`cdc-run dlq list ${name} --all\` shows the ids.`);
  if (action !== 'show' && id !== undefined)
    throw usageError(`dlq ${action} takes no ${JSON.stringify(id)}`, `Choose letters with \`--id ${id}\`.`);
}

/** By the path of its file, or by its name among the files of -c, else of pipelines/. `null`: problems were reported. */
async function findPipeline(cli: Cli, name: string, files: readonly string[]): Promise<PipelineConfig | null> {
  const isFile = /\.ya?ml$/i.test(name) || (existsSync(name) && files.length === 0);
  const inputs = isFile ? [name] : files.length > 0 ? files : [PIPELINES_FOLDER];
  if (!isFile && files.length === 0 && !existsSync(PIPELINES_FOLDER))
    throw usageError(
      `There is no pipeline file for ${JSON.stringify(name)}`,
      `Name the file: \`-c path/to/pipeline.yaml\`, or put it into ${PIPELINES_FOLDER}/.`,
    );
  const loaded = await loadOrReport(cli, inputs);
  if (loaded === null) return null;
  const found = isFile ? loaded.pipelines : loaded.pipelines.filter((p) => p.name === name);
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  const names = loaded.pipelines.map((p) => p.name);
  throw usageError(
    found.length > 1 ? `${name} holds ${found.length} pipelines` : `No pipeline is called ${JSON.stringify(name)}`,
    found.length > 1 ? `Name one with -c ${name}: ${names.join(', ')}.` : `These are known: ${names.join(', ')}.`,
  );
}

export async function queuesOf({ world }: Cli, config: PipelineConfig): Promise<OpenQueues> {
  const { loadDescriptor } = await import('../../catalog.ts');
  return openQueues(config, {
    clock: world.clock,
    random: systemRandom,
    logger: silentLogger,
    version: packageVersion(),
    resolve: (kind, type) => loadDescriptor(kind, type, { baseDir: config.baseDir }),
  });
}

/** Throws when nothing can be read back; a queue among several that cannot is only noted by the caller. */
export function assertReadable(queues: OpenQueues): void {
  if (queues.all.some((q) => q.store !== null)) return;
  throw new CdcError(
    'DLQ_NOT_READABLE',
    `Letters go to ${queues.all.map((q) => q.place).join(' and ')}, and cannot be read back from there.`,
    {
      where: 'error_handling.dead_letter_queue',
      fix: 'Look at them there (table cdc_dead_letters). With type file or sqlite later letters can be listed and replayed.',
    },
  );
}

export async function* lettersOf(config: PipelineConfig, queues: OpenQueues): AsyncIterable<DeadLetter> {
  for (const { store } of queues.all) for await (const letter of store?.letters() ?? []) if (letter.pipeline === config.name) yield letter;
}

async function list({ output }: Cli, config: PipelineConfig, queues: OpenQueues, { all }: DlqFlags): Promise<number> {
  const causes = new Causes(),
    letters: DeadLetter[] = [];
  for await (const letter of lettersOf(config, queues)) {
    causes.add(letter);
    if (all) letters.push(letter);
  }
  const found = causes.list(),
    total = found.reduce((n, cause) => n + cause.count, 0);
  const unreadable = queues.all.filter((q) => q.store === null).map((q) => q.place);
  if (output.json) {
    output.document({
      ok: true,
      pipeline: config.name,
      total,
      unreadable,
      causes: found.map(({ sample, ...cause }) => ({ ...cause, message: sample.error.message, fix: sample.error.fix, sample: sample.id })),
      ...(all ? { letters: letters.map(summaryOf) } : {}),
    });
    return EXIT.ok;
  }
  const c = output.colors;
  const rows = all ? letterRows(letters, c) : found.flatMap((cause) => [...causeLines(cause, c), '']);
  if (total > 0) output.print([...rows, `${plural(total, 'letter')} of ${config.name}, ${plural(found.length, 'cause')}`]);
  else output.print([`No dead letters of ${config.name}.`]);
  if (unreadable.length > 0) output.note([`Others go to ${unreadable.join(' and ')}, and cannot be read back from there.`]);
  return EXIT.ok;
}

/** Without rows: `show` and `export` have them. */
export function summaryOf(l: DeadLetter): Readonly<Record<string, unknown>> {
  const { id, pipeline, lane, stage, component, attempts, firstMs, lastMs, at, error } = l;
  return { short_id: shortIdOf(id), id, pipeline, lane, stage, component, attempts, firstMs, lastMs, at, ...error.toJSON() };
}

async function show({ output }: Cli, config: PipelineConfig, queues: OpenQueues, id: string, flags: DlqFlags): Promise<number> {
  const found: DeadLetter[] = [];
  for await (const letter of lettersOf(config, queues)) if (isCalled(letter, id)) found.push(letter);
  const [stored] = found;
  if (stored === undefined || found.length > 1) {
    throw new CdcError(
      'DLQ_LETTER_UNKNOWN',
      `${found.length === 0 ? 'No letter' : 'More than one letter'} of ${config.name} is called ${JSON.stringify(id)}.`,
      {
        fix: `See the ids with \`cdc-run dlq list ${config.name} --all\`.`,
      },
    );
  }
  const letter = flags.decrypt ? opened(queues, stored) : stored;
  if (output.json) output.document({ ok: true, letter: JSON.parse(formatLetter(letter)) as unknown });
  else output.print(letterLines(letter, output.colors));
  return EXIT.ok;
}

/** Those whose columns were removed stay as they are. */
function opened(queues: OpenQueues, letter: DeadLetter): DeadLetter {
  if (letter.protection?.kind !== 'encrypted') return letter;
  const { sensitive: _, ...rest } = unprotect(letter, queues.of(letter.lane).cipher);
  return rest;
}

async function exportLetters({ output }: Cli, config: PipelineConfig, queues: OpenQueues, flags: DlqFlags): Promise<number> {
  const lines: string[] = [];
  for await (const letter of lettersOf(config, queues)) {
    const line = `${formatLetter(flags.decrypt ? opened(queues, letter) : letter)}\n`;
    if (flags.out === undefined) output.raw(line);
    else lines.push(line);
  }
  if (flags.out === undefined) return EXIT.ok;
  try {
    // Rows of the source, perhaps decrypted: for this user alone.
    await writeFile(flags.out, lines.join(''), { flag: flags.force ? 'w' : 'wx', mode: 0o600 });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST')
      throw new CdcError('DLQ_UNAVAILABLE', `${flags.out} cannot be written: ${(cause as Error).message}.`, {
        where: '--out',
        fix: 'Correct the path.',
        cause,
      });
    throw usageError(`${flags.out} is there already`, 'Choose another file, or use `--force` to replace it.');
  }
  if (output.json) output.document({ ok: true, file: flags.out, letters: lines.length });
  else output.print([`wrote ${plural(lines.length, 'letter')} to ${flags.out}`]);
  return EXIT.ok;
}
