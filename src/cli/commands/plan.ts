// `cdc-run plan [files…]`: what running these pipelines would mean. Reads files and capabilities only; with `--connect` sources and
// destinations are asked, too: what a start would do at the servers, and what would change in tables. Nothing is created.

import { placeOf } from '../../dead-letters/place.ts';
import type { PipelineConfig } from '../../engine/pipeline-config.ts';
import { describeState } from '../../open-state.ts';
import type { Descriptor } from '../../sdk/define.ts';
import type { DestinationCapabilities } from '../../sdk/destination.ts';
import { CdcError } from '../../sdk/errors.ts';
import type { SourceCapabilities } from '../../sdk/source.ts';
import type { Cli } from '../cli.ts';
import { connectedLines, connectedPlan, refusals } from '../connected-plan.ts';
import { EXIT } from '../exit-code.ts';
import { formatBytes, formatDuration, table, wrap } from '../format.ts';
import { type Guarantee, guaranteeOf } from '../guarantee.ts';
import { inputsOrDefault, issueLines, loadOrReport } from '../load.ts';
import type { Colors } from '../output.ts';
import { type TableChanges, tableChangeLines, tableChanges } from '../table-changes.ts';

/** The plan of one pipeline, as data. */
export interface Plan {
  readonly name: string;
  readonly file: string;
  readonly mode: string;
  readonly state: string;
  readonly sources: readonly { readonly name: string; readonly type: string; readonly capabilities: SourceCapabilities | null }[];
  readonly destinations: readonly {
    readonly name: string;
    readonly type: string;
    readonly required: boolean;
    readonly capabilities: DestinationCapabilities | null;
  }[];
  readonly guarantees: readonly ({ readonly source: string; readonly destination: string } & Guarantee)[];
  readonly creates: readonly string[];
  readonly risks: readonly string[];
  readonly unavailable: readonly string[];
  /** Only where servers were asked. */
  readonly tableChanges?: readonly TableChanges[];
}

type Resolve = (kind: Descriptor['kind'], type: string, options: { readonly baseDir: string }) => Promise<Descriptor>;

export async function plan(cli: Cli, inputs: readonly string[], connect: boolean): Promise<number> {
  const loaded = await loadOrReport(cli, inputsOrDefault(inputs, 'plan'));
  if (loaded === null) return EXIT.configuration;
  const { pipelines, warnings } = loaded;
  const { loadDescriptor } = await import('../../catalog.ts');
  const plans = await Promise.all(
    pipelines.map(async (config) => ({
      ...(await planOf(config, loadDescriptor)),
      ...(connect ? { tableChanges: await changesOf(cli, config, loadDescriptor) } : {}),
    })),
  );
  if (!cli.output.json && warnings.length > 0) cli.output.note(await issueLines(warnings, cli.output.errColors, 'warning'));
  const connected = connect ? await Promise.all(pipelines.map((config) => connectedPlan(cli, config))) : [],
    isRefused = connected.some((p) => refusals(p) > 0);
  const { colors, json, width } = cli.output;
  if (json)
    cli.output.document({
      ok: !isRefused,
      plans: plans.map((p, i) => ({ ...p, ...(connected[i] && { connected: connected[i] }) })),
      warnings,
    });
  else
    cli.output.print(
      plans.flatMap((p, i) => {
        const found = connected[i];
        return [...(i === 0 ? [] : ['']), ...planLines(p, colors, width), ...(found === undefined ? [] : connectedLines(found, colors))];
      }),
    );
  return isRefused ? EXIT.check : EXIT.ok;
}

/** What cannot run is not opened: `unavailable` says so. */
async function changesOf(cli: Cli, config: PipelineConfig, resolve: Resolve): Promise<TableChanges[]> {
  if (config.unavailable.length > 0) return [];
  return tableChanges(config, (kind, type) => resolve(kind, type, { baseDir: config.baseDir }), cli.world.clock);
}

export async function planOf(config: PipelineConfig, resolve: Resolve): Promise<Plan> {
  const load: Load = (kind, type) => orNull(resolve(kind, type, { baseDir: config.baseDir }));
  const sources = await Promise.all(
    config.sources.map(async ({ name, type, config: own }) => ({ name, type, capabilities: await sourceCapabilities(type, own, load) })),
  );
  const destinations = await Promise.all(
    config.destinations.map(async ({ name, type, required, config: own }) => ({
      name,
      type,
      required,
      capabilities: await destinationCapabilities(type, own, load),
    })),
  );
  const guarantees = sources.flatMap((s) =>
    destinations.flatMap((d) =>
      s.capabilities === null || d.capabilities === null
        ? []
        : [{ source: s.name, destination: d.name, ...guaranteeOf(s.capabilities, d.capabilities) }],
    ),
  );
  return {
    name: config.name,
    file: config.file,
    mode: modeText(config),
    state: describeState(config.state),
    sources,
    destinations,
    guarantees,
    creates: [
      ...sources.flatMap((s) => (s.capabilities?.creates ?? []).map((text) => `at source ${s.name}: ${text}`)),
      ...destinations.flatMap((d) => (d.capabilities?.creates ?? []).map((text) => `at destination ${d.name}: ${text}`)),
      ...(config.log.type === 'disk' ? [`here: the change log in ${config.log.path}, ${logBounds(config.log)}`] : []),
      `here: state in ${describeState(config.state)}; dead letters, if there are any, in ${placeOf(config.deadLetterQueue)}`,
    ],
    risks: [
      ...logRisks(config),
      ...sources.flatMap((s) => sourceRisks(s.name, s.capabilities)),
      ...sources.flatMap((s) => keptLog(s.name, s.capabilities, config)),
      ...destinations.flatMap((d) => destinationRisks(d.name, d.required, d.capabilities)),
    ],
    unavailable: config.unavailable.map((u) => `${u.where}: ${u.message}`),
  };
}

/** `null` for a type that this version cannot run: `unavailable` says so. */
type Load = (kind: Descriptor['kind'], type: string) => Promise<Descriptor | null>;

async function orNull(descriptor: Promise<Descriptor>): Promise<Descriptor | null> {
  try {
    return await descriptor;
  } catch (error) {
    if (error instanceof CdcError && error.code === 'CONFIG_TYPE_NOT_AVAILABLE') return null;
    throw error;
  }
}

async function sourceCapabilities(type: string, config: unknown, load: Load): Promise<SourceCapabilities | null> {
  const descriptor = await load('source', type);
  return descriptor?.kind === 'source' ? descriptor.capabilities(config) : null;
}

async function destinationCapabilities(type: string, config: unknown, load: Load): Promise<DestinationCapabilities | null> {
  const descriptor = await load('destination', type);
  return descriptor?.kind === 'destination' ? descriptor.capabilities(config) : null;
}

function sourceRisks(name: string, capabilities: SourceCapabilities | null): string[] {
  if (capabilities === null) return [];
  return [
    ...capabilities.risks,
    ...(capabilities.deletes ? [] : ['rows deleted at the source are not noticed and stay at the destinations']),
  ].map((text) => `source ${name}: ${text}`);
}

/** What nobody reads for a while fills the source's disk. */
function keptLog(name: string, capabilities: SourceCapabilities | null, { sync }: PipelineConfig): string[] {
  if (capabilities?.keepsLog === undefined || sync.mode === 'continuous') return [];
  const until = sync.mode === 'cron' ? 'between two runs' : 'after the run, until the next one or until it is dropped';
  return [`source ${name}: ${capabilities.keepsLog} keeps the log ${until}: watch the disk of the server, and set a limit there`];
}

function destinationRisks(name: string, required: boolean, capabilities: DestinationCapabilities | null): string[] {
  return [
    ...(required ? [] : ['is optional: when it falls too far behind it is detached, and waits for you']),
    ...(capabilities === null || capabilities.keyless ? [] : ['events of tables without a key go to the dead letter queue']),
  ].map((text) => `destination ${name}: ${text}`);
}

function logBounds({ maxBytes, maxEvents, maxAgeMs }: Extract<PipelineConfig['log'], { type: 'disk' }>): string {
  const bounds = [
    formatBytes(maxBytes),
    ...(Number.isFinite(maxEvents) ? [`${maxEvents} events`] : []),
    ...(maxAgeMs === null ? [] : [formatDuration(maxAgeMs)]),
  ];
  return `at most ${bounds.join(', ')}`;
}

function logRisks({ log, sources }: PipelineConfig): string[] {
  if (log.type !== 'disk' || log.durability === 'fsync') return [];
  return [
    `log: with durability os a power cut loses what the operating system had not written yet: ${sources.length === 1 ? 'the source has' : 'the sources have'} forgotten it by then`,
  ];
}

function modeText({ sync }: PipelineConfig): string {
  const mode = sync.mode === 'cron' ? `cron ${sync.schedule ?? ''} (${sync.timezone})` : sync.mode;
  return sync.mode === 'one_time' ? mode : `${mode}, checkpoint every ${formatDuration(sync.checkpointIntervalMs)}`;
}

export function planLines(p: Plan, c: Colors, width: number): string[] {
  const section = (title: string, lines: readonly string[]): string[] => (lines.length === 0 ? [] : ['', c.bold(title), ...lines]);
  const bullets = (texts: readonly string[], mark: string): string[] => texts.map((text) => `  ${mark} ${wrap(text, width - 4, '    ')}`);
  return [
    `${c.bold(p.name)}  ${c.dim(`${p.file} · ${p.mode}`)}`,
    ...section(
      'Flow',
      table([
        ...p.sources.map((s) => ['from', s.name, s.type, s.capabilities === null ? '' : c.dim(sourceAbilities(s.capabilities))]),
        ...p.destinations.map((d) => ['to', d.name, d.type, d.required ? '' : c.dim('optional')]),
      ]),
    ),
    ...section('Guarantees', table(p.guarantees.map((g) => [`${g.source} → ${g.destination}`, guaranteeText(g, c), c.dim(g.reason)]))),
    ...section('Creates', bullets(p.creates, c.green('+'))),
    ...tableChangeLines(p.tableChanges ?? [], c, width),
    ...section('Risks', bullets(p.risks, c.yellow('!'))),
    ...section('Not available in this version', bullets(p.unavailable, c.red('✖'))),
  ];
}

function guaranteeText(g: Guarantee, c: Colors): string {
  if (g.kind === 'effectively-once') return c.green('effectively-once');
  return g.repeatsHarmless ? `${c.cyan('at-least-once')}, repeats harmless` : c.yellow('at-least-once');
}

function sourceAbilities(s: SourceCapabilities): string {
  const able = [s.snapshot && 'snapshot', s.deletes && 'deletes', s.beforeImage && 'before images', s.schemaChanges && 'schema changes'];
  return [s.ordering, ...able.filter((text) => text !== false)].join(', ');
}
