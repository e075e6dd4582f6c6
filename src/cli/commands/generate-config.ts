// `cdc-run generate-config` (`init`): writes a commented pipeline file, from flags or by asking on a terminal. Nothing that exists is
// replaced without --force.

import { existsSync, writeFileSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, sep } from 'node:path';
import { parse, stringify } from 'yaml';
import { suggest } from '../../config/suggest.ts';
import { packageRoot } from '../../package-info.ts';
import type { TSchema } from '../../sdk/config-schema.ts';
import type { Descriptor } from '../../sdk/define.ts';
import { CdcError } from '../../sdk/errors.ts';
import { makeFolderSync } from '../../util/make-folder.ts';
import { usageError } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { EXIT } from '../exit-code.ts';
import { issueLines, load, PIPELINES_FOLDER } from '../load.ts';
import { pipelineTemplate, type Template, type TemplatePart } from '../pipeline-template.ts';
import type { GenerateFlags } from '../program/writing-files.ts';
import { type Ask, openQuestions } from '../questions.ts';
import { keysOf, sampleValue } from '../sample-config.ts';

/** Pipeline names become part of file names and labels. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;

export async function generateConfig(cli: Cli, flags: GenerateFlags): Promise<number> {
  const questions = openQuestions(cli);
  let plan: { readonly template: Template; readonly output: string };
  try {
    plan = await planFile(cli, flags, questions?.ask ?? null);
  } finally {
    questions?.close();
  }
  const text = pipelineTemplate(plan.template, (value) => inline(value));
  if (plan.output === '-') {
    cli.output.raw(text);
    return EXIT.ok;
  }
  write(plan.output, text, flags.force);
  await tell(cli, plan.output);
  return EXIT.ok;
}

async function planFile(cli: Cli, flags: GenerateFlags, ask: Ask | null): Promise<{ template: Template; output: string }> {
  const types = await availableTypes();
  const sourceType = flags.source ?? (await need(ask, '--source', `Source (${types.source.join(', ')})`, 'sqlite'));
  const source = await part('source', sourceType, 'source', types.source, cli, ask);
  const destinationTypes =
    flags.destination.length > 0
      ? flags.destination
      : list(await need(ask, '--destination', `Destinations, comma between them (${types.destination.join(', ')})`, 'console'));
  const destinations: TemplatePart[] = [];
  for (const [i, type] of destinationTypes.entries())
    destinations.push(await part('destination', type, `destinations[${i}]`, types.destination, cli, ask));
  const mode = flags.mode ?? modeOf(ask === null ? 'continuous' : await ask('Mode (one_time, continuous, cron)', 'continuous'));
  const name =
    flags.name ??
    (ask === null
      ? `${source.type}_to_${destinations[0]?.type ?? 'log'}`
      : await ask('Name of the pipeline', `${source.type}_to_${destinations[0]?.type ?? 'log'}`));
  if (!NAME.test(name)) throw usageError(`The name ${JSON.stringify(name)} is not usable`, 'Use letters, digits, `_`, `-` and `.`.');
  const output =
    flags.output ?? (ask === null ? join(PIPELINES_FOLDER, `${name}.yaml`) : await ask('File', join(PIPELINES_FOLDER, `${name}.yaml`)));
  if (output !== '-' && existsSync(output) && !flags.force) throw exists(output);
  return {
    output,
    template: {
      name,
      mode,
      source,
      destinations: uniquelyNamed(destinations),
      schemaRef: schemaRef(output),
      file: output === '-' ? join(PIPELINES_FOLDER, `${name}.yaml`) : output,
    },
  };
}

async function availableTypes(): Promise<{ readonly source: readonly string[]; readonly destination: readonly string[] }> {
  const { listTypes } = await import('../../catalog.ts');
  const types = (await listTypes()).filter((t) => t.available);
  return {
    source: types.filter((t) => t.kind === 'source').map((t) => t.type),
    destination: types.filter((t) => t.kind === 'destination').map((t) => t.type),
  };
}

async function part(
  kind: 'source' | 'destination',
  type: string,
  where: string,
  known: readonly string[],
  cli: Cli,
  ask: Ask | null,
): Promise<TemplatePart> {
  const descriptor = await descriptorOf(kind, type, known);
  const values = given(
    cli.options.set,
    kind === 'source' ? ['source', 'sources[0]', 'sources.0'] : [where, where.replace(/\[(\d+)\]/, '.$1'), 'destination'],
  );
  const config = descriptor.config as TSchema;
  for (const key of keysOf(config)) {
    // Secrets come from the environment, so they are not asked for.
    if (ask === null || !key.required || key.secret || key.name in values) continue;
    const proposed = sampleValue(key.schema);
    const answer = await ask(
      `${kind} ${descriptor.type}: ${key.name}${key.description === '' ? '' : ` - ${firstSentence(key.description)}`}`,
      inline(proposed),
    );
    values[key.name] = parse(answer) as unknown;
  }
  return { name: descriptor.type, type: descriptor.type, title: descriptor.title, config, values };
}

async function descriptorOf(kind: 'source' | 'destination', type: string, known: readonly string[]): Promise<Descriptor> {
  const { loadDescriptor } = await import('../../catalog.ts');
  try {
    return await loadDescriptor(kind, type, { baseDir: process.cwd() });
  } catch (error) {
    if (!(error instanceof CdcError) || error.code === 'CONFIG_TYPE_NOT_AVAILABLE') throw error;
    const meant = suggest(type, known);
    throw new CdcError('CONFIG_UNKNOWN_TYPE', `There is no ${kind} of type ${JSON.stringify(type)}`, {
      where: `--${kind}`,
      fix: meant === undefined ? `Use one of: ${known.join(', ')}.` : `Did you mean "${meant}"?`,
      cause: error,
    });
  }
}

/** Values of `--set source.path=shop.db` for one component; only keys of the component itself. */
function given(set: readonly string[], prefixes: readonly string[]): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const assignment of set) {
    const at = assignment.indexOf('=');
    const path = assignment.slice(0, at);
    const prefix = prefixes.find((p) => path.startsWith(`${p}.`));
    if (prefix !== undefined) values[path.slice(prefix.length + 1)] = parse(assignment.slice(at + 1)) as unknown;
  }
  return values;
}

async function need(ask: Ask | null, flag: string, question: string, proposed: string): Promise<string> {
  if (ask === null)
    throw usageError(
      `${flag} is missing, and there is no terminal to ask on`,
      'Write it like `cdc-run generate-config --source sqlite --destination postgresql`.',
    );
  return ask(question, proposed);
}

function list(text: string): string[] {
  return text.split(/[\s,]+/).filter((item) => item !== '');
}

function modeOf(text: string): Template['mode'] {
  if (text === 'one_time' || text === 'continuous' || text === 'cron') return text;
  throw usageError(`Unknown mode ${JSON.stringify(text)}`, 'Use one of: one_time, continuous, cron.');
}

/** `postgresql`, `postgresql_2` */
function uniquelyNamed(parts: readonly TemplatePart[]): TemplatePart[] {
  return parts.map((part, i) => {
    const same = parts.slice(0, i).filter((other) => other.type === part.type).length;
    return same === 0 ? part : { ...part, name: `${part.type}_${same + 1}` };
  });
}

/** Relative to the file where the package lies in the same tree, so that the file may be committed. */
function schemaRef(output: string): string {
  const schema = join(packageRoot(), 'schemas', 'pipeline.schema.json');
  const inTree = !relative(process.cwd(), schema).startsWith('..') && !isAbsolute(relative(process.cwd(), schema));
  if (!inTree) return schema.split(sep).join('/');
  const from = output === '-' ? PIPELINES_FOLDER : dirname(output);
  const path = relative(from, schema).split(sep).join('/');
  return path.startsWith('.') ? path : `./${path}`;
}

/** `The database file; relative paths … . More.` → the part before the first full stop or semicolon. */
function firstSentence(text: string): string {
  return text.split(/[;.] /, 1)[0]?.replace(/\.$/, '') ?? text;
}

/** A value as YAML on one line. */
function inline(value: unknown): string {
  return stringify(value, { collectionStyle: 'flow', flowCollectionPadding: false, lineWidth: 0 }).trimEnd();
}

function exists(file: string): CdcError {
  return usageError(`${file} is there already`, 'Choose another --output, or replace it with --force.');
}

function write(file: string, text: string, force: boolean): void {
  try {
    makeFolderSync(dirname(file));
    writeFileSync(file, text, { flag: force ? 'w' : 'wx' });
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw exists(file);
    throw new CdcError('CONFIG_FILE_UNREADABLE', `${file} cannot be written: ${message}`, {
      where: '--output',
      fix: 'Choose another --output.',
      cause,
    });
  }
}

/** What is written, and what the user still has to fill in: found by loading the file as any other. */
async function tell(cli: Cli, file: string): Promise<void> {
  const { output } = cli;
  const { problems } = await load({ ...cli, options: { ...cli.options, set: [] } }, [file]);
  if (output.json) {
    output.document({ ok: true, file, todo: problems });
    return;
  }
  const c = output.colors;
  output.print([`${c.green('✔')} wrote ${c.bold(file)}`]);
  if (problems.length > 0) output.print(['', 'Still to fill in:', ...(await issueLines(problems, c, 'warning'))]);
  output.print(['', `Next: cdc-run validate ${file} --connect`, `      cdc-run ${file}`]);
}
