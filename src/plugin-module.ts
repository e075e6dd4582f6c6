// Loads adapters and plugins of users: `./mine.ts`, `../mine.js`, an absolute path, or a package. A module exports
// `descriptor`, or it by default.

import { existsSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Jiti } from 'jiti';
import { CdcError, type Descriptor } from './sdk/index.ts';

type Kind = Descriptor['kind'];

/** The absolute path of a user's module; `null` when `type` names none. The file of a path need not be there. */
export async function findModule(type: string, baseDir: string): Promise<string | null> {
  if (type.startsWith('file:')) return fileURLToPath(type);
  if (/^\.\.?[/\\]/.test(type)) return resolve(baseDir, type);
  if (isAbsolute(type)) return type;
  // Types are snake_case, so a name without these signs is a type, and a slip in it never loads some package.
  if (!/[-@/.]/.test(type)) return null;
  const jiti = await openJiti(baseDir);
  const url = jiti.esmResolve(type, { try: true, parentURL: pathToFileURL(join(baseDir, 'pipeline.yaml')) });
  return url === undefined ? null : fileURLToPath(url);
}

/** One instance per process: what was validated is what runs. */
const loaded = new Map<string, Promise<Descriptor>>();

/** Loads the module at an absolute path. Throws `PLUGIN_LOAD_FAILED` with the path and the cause. */
export function loadModule(kind: Kind, path: string): Promise<Descriptor> {
  const key = `${kind} ${path}`;
  let descriptor = loaded.get(key);
  if (descriptor === undefined) {
    descriptor = load(kind, path);
    loaded.set(key, descriptor);
  }
  return descriptor;
}

async function load(kind: Kind, path: string): Promise<Descriptor> {
  if (!existsSync(path)) throw failed(path, 'there is no such file', 'Correct the path; it starts at the folder of the pipeline file.');
  let module: unknown;
  try {
    module = /\.[cm]?tsx?$/.test(path) ? await importTypeScript(path) : await import(pathToFileURL(path).href);
  } catch (cause) {
    throw failed(path, cause instanceof Error ? cause.message : String(cause), 'Correct the module; importing it must not fail.', cause);
  }
  const { descriptor, default: byDefault } = module as { descriptor?: unknown; default?: unknown };
  const found = descriptor ?? (isRecord(byDefault) && 'descriptor' in byDefault ? byDefault['descriptor'] : byDefault);
  const problem = whatIsWrong(kind, found);
  if (problem !== null) throw failed(path, problem, `Export \`descriptor\`, made with ${MAKERS[kind]} of cdc-run/sdk.`);
  return found as Descriptor;
}

const MAKERS: { readonly [K in Kind]: string } = {
  source: 'defineSource',
  destination: 'defineDestination',
  transformer: 'defineTransformer',
  middleware: 'defineMiddleware',
  hook: 'defineHook',
};

/** TypeScript goes through jiti: Node 20 cannot strip types. The SDK it imports is ours, so that classes are the same. */
async function importTypeScript(path: string): Promise<unknown> {
  return (await openJiti(path)).import(path);
}

async function openJiti(from: string): Promise<Jiti> {
  const [{ createJiti }, sdk] = await Promise.all([import('jiti'), import('./sdk/index.ts')]);
  // Nothing is written beside the user's files, and a changed plugin is loaded anew.
  return createJiti(pathToFileURL(from).href, {
    virtualModules: { 'cdc-run/sdk': sdk },
    interopDefault: false,
    fsCache: false,
    moduleCache: false,
  });
}

function whatIsWrong(kind: Kind, found: unknown): string | null {
  if (!isRecord(found)) return 'it exports no descriptor';
  if (found['kind'] !== kind)
    return `its descriptor is ${found['kind'] === undefined ? 'of no kind' : `a ${String(found['kind'])}`}, not a ${kind}`;
  if (typeof found['type'] !== 'string' || found['type'] === '') return 'its descriptor has no type';
  if (!isRecord(found['config'])) return 'its descriptor has no config schema';
  if (typeof found['create'] !== 'function') return 'its descriptor has no create function';
  const needsCapabilities = kind === 'source' || kind === 'destination';
  return needsCapabilities && typeof found['capabilities'] !== 'function' ? 'its descriptor has no capabilities function' : null;
}

function failed(path: string, reason: string, fix: string, cause?: unknown): CdcError {
  return new CdcError('PLUGIN_LOAD_FAILED', `the module ${path} cannot be used: ${reason}`, { fix, cause });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
