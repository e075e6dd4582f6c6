// `cdc-run plan --connect`: what the destinations of a pipeline would do to their tables, given the source's tables as they are
// now. Catalogs are read, nothing is changed.

import { type OpenDestination, type OpeningDeps, type OpenSource, openDestination, openSource } from '../engine/components.ts';
import type { PipelineConfig } from '../engine/pipeline-config.ts';
import type { SchemaPreview } from '../sdk/destination.ts';
import { CdcError } from '../sdk/errors.ts';
import { silentLogger } from '../sdk/logger.ts';
import { type Clock, systemRandom } from '../sdk/ports.ts';
import type { TableSchema } from '../sdk/table-schema.ts';
import { wrap } from './format.ts';
import type { Colors } from './output.ts';

export interface TableChanges {
  readonly source: string;
  readonly destination: string;
  readonly changes: readonly SchemaPreview[];
  /** Why they could not be found out. */
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** Pairs of a source that can name its tables and a destination that makes some. */
export async function tableChanges(config: PipelineConfig, resolve: OpeningDeps['resolve'], clock: Clock): Promise<TableChanges[]> {
  const deps: OpeningDeps = { clock, random: systemRandom, logger: silentLogger, resolve };
  const found: TableChanges[] = [];
  for (const component of config.sources) {
    const tables = await using(
      () => openSource(config, component, deps),
      ({ source }) => source.close(),
      tablesOf,
    );
    if (tables === null) continue;
    for (const destination of config.destinations) {
      if (tables instanceof CdcError) {
        found.push({ source: component.name, destination: destination.name, changes: [], error: tables });
        continue;
      }
      const changes = await using(
        () => openDestination(config, destination, deps),
        (open) => open.destination.close(),
        (open) => previewOf(open, component.name, tables),
      );
      if (changes === null) continue;
      const pair = { source: component.name, destination: destination.name };
      found.push(changes instanceof CdcError ? { ...pair, changes: [], error: changes } : { ...pair, changes, error: null });
    }
  }
  return found.map(({ error, ...rest }) => ({ ...rest, error: error && { code: error.code, message: error.message } }));
}

/** What `work` gave, or the error: one server that is away must not hide what the others say. */
async function using<O, T>(
  open: () => Promise<O>,
  close: (opened: O) => Promise<void>,
  work: (opened: O) => Promise<T>,
): Promise<T | CdcError> {
  try {
    const opened = await open();
    try {
      return await work(opened);
    } finally {
      await close(opened);
    }
  } catch (error) {
    if (error instanceof CdcError) return error;
    throw error;
  }
}

async function tablesOf({ source }: OpenSource): Promise<TableSchema[] | null> {
  if (source.tables === undefined) return null;
  const schemas: TableSchema[] = [];
  for (const id of await source.tables()) schemas.push(await source.schema(id));
  return schemas;
}

async function previewOf(
  { destination }: OpenDestination,
  source: string,
  tables: readonly TableSchema[],
): Promise<SchemaPreview[] | null> {
  if (destination.previewSchema === undefined) return null;
  const found: SchemaPreview[] = [];
  for await (const one of destination.previewSchema(source, tables)) found.push(one);
  return found;
}

/**
 * ```
 * Tables at destinations
 *   shop → replica
 *     + ALTER TABLE "public"."orders" ADD COLUMN IF NOT EXISTS "note" text;
 *       needs ACCESS EXCLUSIVE for an instant; no rewrite
 *     ! CREATE TABLE … is yours to run
 * ```
 */
export function tableChangeLines(found: readonly TableChanges[], c: Colors, width: number): string[] {
  if (found.length === 0) return [];
  return ['', c.bold('Tables at destinations'), ...found.flatMap((pair) => pairLines(pair, c, width))];
}

function pairLines({ source, destination, changes, error }: TableChanges, c: Colors, width: number): string[] {
  const title = `  ${source} → ${destination}`;
  if (error !== null) return [title, `    ${c.red('✖')} ${wrap(`${error.code}: ${error.message}`, width - 6, '      ')}`];
  if (changes.length === 0) return [`${title}  ${c.dim('nothing to change')}`];
  return [
    title,
    ...changes.flatMap(({ table, sql, note, runs }) => [
      `    ${runs ? c.green('+') : c.yellow('!')} ${sql === null ? table : `${sql};`}`,
      `      ${c.dim(wrap(runs ? note : `not run: ${note}`, width - 6, '      '))}`,
    ]),
  ];
}
