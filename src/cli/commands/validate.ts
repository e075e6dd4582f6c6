// `cdc-run validate [files…]`: checks pipeline files offline; with `--connect` every adapter also checks its server.

import { hideCredentials } from '../../config/redact.ts';
import type { PipelineConfig } from '../../engine/pipeline-config.ts';
import { isSecretKey } from '../../observability/redact.ts';
import type { Finding } from '../../sdk/errors.ts';
import type { Cli } from '../cli.ts';
import { EXIT } from '../exit-code.ts';
import { plural } from '../format.ts';
import { inputsOrDefault, issueLines, load } from '../load.ts';
import type { Colors } from '../output.ts';
import type { ComponentFindings } from '../preflight.ts';

export interface ValidateFlags {
  /** Also ask the servers. */
  readonly connect: boolean;
  /** Also show the pipelines, as they are read. */
  readonly print: boolean;
}

export async function validate(cli: Cli, inputs: readonly string[], { connect, print }: ValidateFlags): Promise<number> {
  const { pipelines, problems, warnings, shown } = await load(cli, inputsOrDefault(inputs, 'validate'));
  const { output } = cli;
  const ok = problems.length === 0;
  const findings = ok && connect ? await checkAll(cli, pipelines) : [];
  const refused = findings.filter((f) => f.findings.some((finding) => finding.level === 'error'));
  if (output.json) {
    output.document({
      ok: ok && refused.length === 0,
      problems,
      warnings,
      pipelines: pipelines.map(describeForMachines),
      ...(connect ? { checks: findings } : {}),
      ...(print ? { documents: shown.map((document) => withoutSecrets(document)) } : {}),
    });
  } else {
    const c = output.colors;
    if (!ok) {
      output.print([
        ...(await issueLines(problems, c, 'problem')),
        ...(await issueLines(warnings, c, 'warning')),
        '',
        c.red(plural(problems.length, 'problem')),
      ]);
      return EXIT.configuration;
    }
    output.print([
      ...(await issueLines(warnings, c, 'warning')),
      ...pipelines.map((p) => validLine(p, c)),
      ...(print ? await printed(shown) : []),
      ...findings.flatMap((f) => findingLines(f, c)),
      '',
      totalLine(pipelines, findings, c),
    ]);
  }
  if (!ok) return EXIT.configuration;
  return refused.length > 0 ? EXIT.check : EXIT.ok;
}

async function printed(shown: readonly Record<string, unknown>[]): Promise<string[]> {
  const { stringify } = await import('yaml');
  return shown.flatMap((document) => ['---', stringify(withoutSecrets(document)).trimEnd()]);
}

/** What stands in the file itself may be a password; a variable is none. */
function withoutSecrets(value: unknown, key = ''): unknown {
  if (Array.isArray(value)) return value.map((item) => withoutSecrets(item));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, withoutSecrets(item, name)]));
  if (typeof value !== 'string' || /^\$\{\w+\}$/.test(value)) return value;
  return isSecretKey(key) ? '***' : hideCredentials(value);
}

async function checkAll(cli: Cli, pipelines: readonly PipelineConfig[]): Promise<readonly ComponentFindings[]> {
  const { preflight } = await import('../preflight.ts');
  return (await Promise.all(pipelines.map((p) => preflight(p, cli.world.clock)))).flat();
}

function validLine(p: PipelineConfig, c: Colors): string {
  const from = p.sources.map((s) => s.type).join(', ');
  const to = p.destinations.map((d) => d.type).join(', ');
  const unavailable = p.unavailable.map((u) => `\n  ${c.yellow('!')} ${u.where}: ${u.message}`).join('');
  return `${c.green('✔')} ${p.file}  ${c.bold(p.name)}: ${from}${to === '' ? '' : ` → ${to}`} ${c.dim(`(${p.sync.mode})`)}${unavailable}`;
}

function findingLines({ pipeline, component, findings }: ComponentFindings, c: Colors): string[] {
  const mark: Readonly<Record<Finding['level'], string>> = { ok: c.green('✔'), warning: c.yellow('!'), error: c.red('✖') };
  return [
    '',
    `${c.bold(pipeline)} ${component}`,
    ...findings.flatMap((f) => [
      `  ${mark[f.level]} ${f.check}: ${f.message}${f.code === undefined ? '' : c.dim(` (${f.code})`)}`,
      ...(f.fix === undefined || f.level === 'ok' ? [] : [`    ${c.green('fix:')} ${f.fix}`]),
    ]),
  ];
}

function totalLine(pipelines: readonly PipelineConfig[], checked: readonly ComponentFindings[], c: Colors): string {
  const refused = checked.flatMap((f) => f.findings).filter((f) => f.level === 'error').length;
  const total = plural(pipelines.length, 'pipeline');
  if (refused > 0) return c.red(`${total}, ${plural(refused, 'check')} said no`);
  return c.green(`${total}, no problems${checked.length > 0 ? ', all checks passed' : ''}`);
}

function describeForMachines(p: PipelineConfig): Readonly<Record<string, unknown>> {
  return {
    name: p.name,
    file: p.file,
    mode: p.sync.mode,
    sources: p.sources.map(({ name, type }) => ({ name, type })),
    destinations: p.destinations.map(({ name, type }) => ({ name, type })),
    unavailable: p.unavailable,
  };
}
