// Sources, destinations, plugins and hooks: finds each one's descriptor, validates its keys against that, and says what this
// version cannot run.

import { basename, extname, isAbsolute } from 'node:path';
import { type AnyDescriptor, canonicalType, isPlanned, KINDS, type Kind, notAvailable, resolveDescriptor, typeNames } from '../catalog.ts';
import type { ComponentConfig, PipelineConfig } from '../engine/pipeline-config.ts';
import { CdcError, Keys, type TObject } from '../sdk/index.ts';
import type { ConfigDocument } from './document.ts';
import { formatPath, type Path } from './issue.ts';
import { Names } from './names.ts';
import { type JsonSchema, knownKeys } from './schema-walk.ts';
import { suggest } from './suggest.ts';
import { checkOf, validate } from './validate.ts';

export type Unavailable = PipelineConfig['unavailable'][number];

/** What the stages share while one document is read. */
export interface Context {
  readonly document: ConfigDocument;
  readonly unavailable: Unavailable[];
}

/** A component as it was found: where it stands, and where its keys are. */
export interface Found {
  readonly kind: Kind;
  readonly at: Path;
  readonly typeAt: Path;
  /** Keys of the component: the mapping itself, or its `params`. */
  readonly keys: Record<string, unknown>;
  readonly keysAt: Path;
  readonly type: unknown;
  readonly name: unknown;
}

export interface Checked<Common> {
  readonly component: ComponentConfig;
  readonly descriptor: AnyDescriptor;
  readonly found: Found;
  /** The keys that belong to all components of the kind, with their defaults. */
  readonly common: Common;
}

/** A mapping with `type` beside its keys: sources and destinations. */
export function foundAt(kind: Kind, value: Record<string, unknown>, at: Path): Found {
  const { type, ...keys } = value;
  return { kind, at, typeAt: [...at, 'type'], keys, keysAt: at, type, name: value['name'] };
}

/**
 * Checks components of one kind, in order, and names those without a name. `null` for each that cannot be used, because a
 * problem was reported.
 */
export async function checkAll<Common>(
  found: readonly Found[],
  commonSchema: TObject,
  context: Context,
): Promise<(Checked<Common> | null)[]> {
  const names = new Names(found.map(({ name }) => name));
  const checked: (Checked<Common> | null)[] = [];
  for (const [i, one] of found.entries()) checked.push(await check<Common>(one, i, names, commonSchema, context));
  return checked;
}

async function check<Common>(
  found: Found,
  index: number,
  names: Names,
  commonSchema: TObject,
  context: Context,
): Promise<Checked<Common> | null> {
  const { document } = context;
  const resolved = await resolveType(found, document);
  const shared = resolved === null ? commonSchema : without(commonSchema, knownKeys(resolved.descriptor.config as JsonSchema));
  const commonKeys = Object.keys(shared.properties);
  const [commonPart, ownPart] = split(found.keys, commonKeys);
  const common = await validate<Common>(shared, commonPart, found.keysAt, document);
  const name = names.of(index, shortName(resolved?.type ?? 'unknown'));
  if (names.isRepeated(index)) {
    document.problem({
      code: 'CONFIG_DUPLICATE_NAME',
      path: [...found.at, 'name'],
      message: `two ${pluralOf(found.kind)} have the name ${JSON.stringify(name)}`,
      fix: 'Give each a name of its own.',
    });
  }
  if (resolved === null) return null;
  const { type, descriptor } = resolved;
  const config = await checkConfig(found, ownPart, type, descriptor, commonKeys, context);
  if (document.hasTrouble(found.at) || document.hasTrouble(found.keysAt)) return null;
  if (isPlanned(descriptor))
    context.unavailable.push({
      where: formatPath(found.typeAt),
      code: 'CONFIG_TYPE_NOT_AVAILABLE',
      message: notAvailable(found.kind, descriptor.type),
    });
  return { component: { name, type, config, where: formatPath(found.at) }, descriptor, found, common: common.value };
}

async function checkConfig(
  found: Found,
  value: Record<string, unknown>,
  type: string,
  descriptor: AnyDescriptor,
  alsoKnown: readonly string[],
  context: Context,
): Promise<unknown> {
  const { document } = context;
  try {
    await checkOf(descriptor.config);
  } catch (error) {
    const message = `the config schema of ${type} is not valid: ${error instanceof Error ? error.message : String(error)}`;
    document.problem({ code: 'PLUGIN_LOAD_FAILED', path: found.typeAt, message, fix: 'Correct the schema of the descriptor.' });
    return value;
  }
  const alone = found.keysAt === found.at ? [...alsoKnown, 'type'] : [];
  const config = await validate(descriptor.config, value, found.keysAt, document, alone);
  if (config.ok && !isPlanned(descriptor)) ownValidation(found, config.value, descriptor, document);
  return config.value;
}

/** What the schema cannot say. */
function ownValidation(
  found: Found,
  config: unknown,
  descriptor: Exclude<AnyDescriptor, { planned: true }>,
  document: ConfigDocument,
): void {
  try {
    for (const { path, message, fix } of descriptor.validate?.(config as never) ?? []) {
      document.problem({
        code: 'CONFIG_INVALID_VALUE',
        path: [...found.keysAt, ...path],
        message: `${formatPath([...found.keysAt, ...path])}: ${message}`,
        ...(fix === undefined ? {} : { fix }),
      });
    }
  } catch (error) {
    const message = `the validate function of ${descriptor.type} failed: ${error instanceof Error ? error.message : String(error)}`;
    document.problem({ code: 'PLUGIN_LOAD_FAILED', path: found.typeAt, message, fix: 'Correct the plugin.' });
  }
}

async function resolveType(found: Found, document: ConfigDocument): Promise<{ type: string; descriptor: AnyDescriptor } | null> {
  // A type that is missing or not a text was reported with the shell.
  if (typeof found.type !== 'string' || found.type === '' || document.isBroken(found.typeAt)) return null;
  const options = { baseDir: document.baseDir };
  try {
    return {
      type: await canonicalType(found.kind, found.type, options),
      descriptor: await resolveDescriptor(found.kind, found.type, options),
    };
  } catch (error) {
    if (!(error instanceof CdcError)) throw error;
    const suggestion = error.code === 'CONFIG_UNKNOWN_TYPE' ? suggest(found.type, typeNames(found.kind)) : undefined;
    const fix = otherKind(found.kind, found.type) ?? error.fix ?? undefined;
    document.problem({ code: error.code, path: found.typeAt, message: error.message, suggestion, fix });
    return null;
  }
}

function otherKind(kind: Kind, type: string): string | null {
  const other = KINDS.find((candidate) => candidate !== kind && typeNames(candidate).includes(type));
  return other === undefined ? null : `Use it as a ${other}: ${type} is no ${kind}.`;
}

/** A key that the adapter declares as well is its own: its schema says more about it. */
function without(schema: TObject, own: readonly string[]): TObject {
  const shared = Object.entries(schema.properties).filter(([key]) => !own.includes(key));
  return shared.length === Object.keys(schema.properties).length ? schema : Keys(Object.fromEntries(shared));
}

function split(keys: Record<string, unknown>, common: readonly string[]): [Record<string, unknown>, Record<string, unknown>] {
  const shared: Record<string, unknown> = {},
    rest: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(keys)) (common.includes(key) ? shared : rest)[key] = value;
  return [shared, rest];
}

/** `/plugins/mask-cards.ts` → `mask-cards`; a type's own name otherwise. */
function shortName(type: string): string {
  return isAbsolute(type) ? basename(type, extname(type)) : type;
}

function pluralOf(kind: Kind): string {
  return kind === 'middleware' ? 'middleware' : `${kind}s`;
}
