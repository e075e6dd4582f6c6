// Loads pipeline files for a command and shows all problems at once.

import { existsSync } from 'node:fs';
import type { ConfigIssue } from '../config/issue.ts';
import type { PipelineConfig } from '../engine/pipeline-config.ts';
import { CdcError } from '../sdk/errors.ts';
import { usageError } from './arguments.ts';
import type { Cli } from './cli.ts';
import { environment } from './environment.ts';
import { plural } from './format.ts';
import type { Colors } from './output.ts';

/** Where pipelines are kept unless said otherwise. */
export const PIPELINES_FOLDER = 'pipelines';

/** What was loaded; problems are data here, for commands that show them in their own way. */
export interface Loaded {
  readonly pipelines: readonly PipelineConfig[];
  readonly problems: readonly ConfigIssue[];
  readonly warnings: readonly ConfigIssue[];
  /** The mappings of the pipelines, for `--print`. */
  readonly shown: readonly Record<string, unknown>[];
}

export async function load(cli: Cli, inputs: readonly string[]): Promise<Loaded> {
  const { loadPipelines } = await import('../config/load.ts');
  return loadPipelines(inputs, { set: cli.options.set, env: environment(cli.world.env, cli.options.envFile) });
}

/** Loads, and shows problems. `null`: there were some, exit 2. Warnings are the caller's to show. */
export async function loadOrReport(cli: Cli, inputs: readonly string[]): Promise<Omit<Loaded, 'problems' | 'shown'> | null> {
  const { pipelines, problems, warnings } = await load(cli, inputs);
  if (problems.length === 0) return { pipelines, warnings };
  if (cli.output.json) cli.output.document({ ok: false, problems, warnings });
  else
    cli.output.note([
      ...(await issueLines(problems, cli.output.errColors, 'problem')),
      '',
      cli.output.errColors.red(`${plural(problems.length, 'problem')}; nothing was started`),
    ]);
  return null;
}

/** One issue per paragraph, as the config loader words them, with a mark in front. */
export async function issueLines(issues: readonly ConfigIssue[], c: Colors, kind: 'problem' | 'warning'): Promise<string[]> {
  const { formatIssue } = await import('../config/issue.ts');
  const mark = kind === 'problem' ? c.red('✖') : c.yellow('!');
  return issues.map((issue) => `${mark} ${formatIssue(issue)}`);
}

/** The inputs of a command that works on the usual folder when none are named. */
export function inputsOrDefault(inputs: readonly string[], command: string): readonly string[] {
  if (inputs.length > 0) return inputs;
  if (existsSync(PIPELINES_FOLDER)) return [PIPELINES_FOLDER];
  throw usageError(
    `No pipeline file was named, and there is no folder ${PIPELINES_FOLDER}/ here`,
    `Name a file: \`cdc-run ${command} path/to/pipeline.yaml\`, or write one with \`cdc-run init\`.`,
  );
}

/** Known keys and types that this version cannot honour: running stops, because ignoring them would do something else than asked. */
export function assertAvailable(pipelines: readonly PipelineConfig[]): void {
  const all = pipelines.flatMap((p) => p.unavailable.map((u) => ({ ...u, file: p.file })));
  const [first] = all;
  if (first === undefined) return;
  const message = all.length === 1 ? first.message : all.map((u) => `${u.file} ${u.where}: ${u.message}`).join('\n');
  throw new CdcError(first.code, message, {
    where: `${first.file} ${first.where}`,
    fix: 'Remove what is not available yet; `cdc-run adapters` lists what is.',
  });
}
