// `cdc-run migrate <file>`: a connector of Kafka Connect, or the properties of Debezium Server, as a pipeline file. The pipeline goes
// to the file or to standard output; what differs from Debezium is told beside it.

import { readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, extname } from 'node:path';
import { stringify } from 'yaml';
import type { ConfigIssue } from '../../config/issue.ts';
import { readDeployment } from '../../debezium/deployment.ts';
import { type Migration, migrate as migrated } from '../../debezium/migrate.ts';
import type { Note } from '../../debezium/translation.ts';
import { CdcError } from '../../sdk/errors.ts';
import { makeFolderSync } from '../../util/make-folder.ts';
import { usageError } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { EXIT } from '../exit-code.ts';
import { plural, wrap } from '../format.ts';
import type { Colors } from '../output.ts';
import type { MigrateFlags } from '../program/writing-files.ts';

const WIDTH = 110;
const GUIDE = 'docs/migrating-from-debezium.md';

/** 4: something differs that a person must decide; the file is written all the same. */
export async function migrate(cli: Cli, file: string, { output: to = '-', force }: MigrateFlags): Promise<number> {
  const migration = migrationOf(read(file), file),
    text = pipelineText(migration, file);
  const problems = await problemsOf(text, to === '-' ? 'pipeline.yaml' : to, migration);
  const open = migration.notes.filter((n) => n.level === 'error'),
    ok = open.length === 0 && problems.length === 0;
  if (to !== '-') write(to, text, force);
  const { output } = cli;
  if (output.json) {
    const { notes, variables, pipeline } = migration;
    output.document({ ok, file: to === '-' ? null : to, pipeline, differences: notes, variables, problems });
  } else {
    if (to === '-') output.raw(text);
    output.note(report(migration, problems, to, output.errColors));
  }
  return ok ? EXIT.ok : EXIT.check;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CdcError('CONFIG_FILE_UNREADABLE', `${file} cannot be read: ${(cause as Error).message}`, {
      where: 'command line',
      fix: 'Correct the path, or the permissions.',
      cause,
    });
  }
}

function migrationOf(text: string, file: string): Migration {
  const deployment = readDeployment(text);
  if ('problem' in deployment)
    throw usageError(
      `${file} is no file of Debezium: ${deployment.problem}`,
      "Give the JSON of a connector, or Debezium Server's application.properties.",
    );
  const migration = migrated(deployment, basename(file, extname(file)));
  if ('notes' in migration) return migration;
  throw usageError(`${migration.property} ${migration.message}`, migration.fix);
}

/** What our own validator says: the variables are there, whatever they will hold. */
async function problemsOf(text: string, file: string, { variables }: Migration): Promise<readonly ConfigIssue[]> {
  const { parsePipelineText } = await import('../../config/load.ts');
  const env = Object.fromEntries(variables.filter((v) => v.hasDefault === undefined).map(({ name }) => [name, '1']));
  return (await parsePipelineText(text, { file, baseDir: dirname(file), env })).problems;
}

function pipelineText({ pipeline, notes, variables, slot }: Migration, file: string): string {
  const lines = [
    `From ${basename(file)} of Debezium, by \`cdc-run migrate\`. How to hand over without a gap: ${GUIDE}.`,
    ...(slot === null ? [] : [`It goes on with Debezium's slot "${slot}"; with snapshot_mode: never no row is read again.`]),
    ...(variables.length === 0 ? [] : [`From the environment: ${[...new Set(variables.map((v) => v.name))].join(', ')}.`]),
    ...section('To be decided:', notes, 'error'),
    ...section('What differs:', notes, 'warning'),
  ];
  return `${lines.map((line) => `# ${wrap(line, WIDTH - 2, '')}`.trimEnd().replaceAll('\n', '\n#   ')).join('\n')}\n${stringify(pipeline, { lineWidth: 0 })}`;
}

function section(title: string, notes: readonly Note[], level: Note['level']): string[] {
  const found = notes.filter((n) => n.level === level);
  return found.length === 0
    ? []
    : ['', title, ...found.map((n) => `- ${n.property}: ${n.message}. ${n.fix}`)].map((line) => line.trimEnd());
}

function report({ notes, variables }: Migration, problems: readonly ConfigIssue[], to: string, c: Colors): string[] {
  const line = (n: Note, mark: string): string => `${mark} ${n.property}: ${n.message}\n  fix: ${n.fix}`;
  const errors = notes.filter((n) => n.level === 'error'),
    warnings = notes.filter((n) => n.level === 'warning');
  return [
    ...(to === '-' ? [] : [`${c.green('✔')} wrote ${c.bold(to)}`, '']),
    ...errors.map((n) => line(n, c.red('✖'))),
    ...warnings.map((n) => line(n, c.yellow('!'))),
    ...problems.map((p) => `${c.red('✖')} ${p.path}: ${p.message}${p.fix === undefined ? '' : `\n  fix: ${p.fix}`}`),
    ...variables.map((v) => `${c.yellow('!')} \${${v.name}} comes from the environment: ${origin(v.from)} ${v.property}`),
    '',
    `${plural(errors.length, 'thing')} to be decided, ${plural(warnings.length, 'difference')}. Next: ${GUIDE}`,
  ];
}

function origin(from: Migration['variables'][number]['from']): string {
  if (from === 'file') return 'the secret of';
  if (from === 'worker') return "the worker's";
  return from === 'provider' ? 'what a provider gave for' : 'as before, for';
}

function write(file: string, text: string, force: boolean): void {
  try {
    makeFolderSync(dirname(file));
    writeFileSync(file, text, { flag: force ? 'w' : 'wx' });
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw usageError(`${file} is there already`, 'Choose another --output, or replace it with --force.');
    throw new CdcError('CONFIG_FILE_UNREADABLE', `${file} cannot be written: ${message}`, {
      where: '--output',
      fix: 'Choose another --output.',
      cause,
    });
  }
}
