// `cdc-run schema [type]`: prints the JSON Schema of pipeline files, or of one adapter or plugin, for editors and other tools.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suggest } from '../../config/suggest.ts';
import { packageRoot } from '../../package-info.ts';
import { CdcError } from '../../sdk/errors.ts';
import type { Cli } from '../cli.ts';
import { EXIT } from '../exit-code.ts';

/** `source-sqlite.schema.json`: kind, then type. */
const COMPONENT = /^([a-z]+)-(.+)\.schema\.json$/;

export async function schema(cli: Cli, name: string | null): Promise<number> {
  const folder = join(packageRoot(), 'schemas');
  const files = schemaFiles(folder);
  const found = name === null || name === 'pipeline' ? ['pipeline.schema.json'] : await filesOf(name, files);
  if (found.length === 0) throw unknown(name ?? '', files);
  const texts = found.map((file) => readFileSync(join(folder, file), 'utf8'));
  if (texts.length === 1) cli.output.raw(texts[0] ?? '');
  // The name of a source and a destination: both, by kind.
  else
    cli.output.raw(
      `${JSON.stringify(Object.fromEntries(found.map((file, i) => [COMPONENT.exec(file)?.[1] ?? file, JSON.parse(texts[i] ?? '')])), null, 2)}\n`,
    );
  return EXIT.ok;
}

function schemaFiles(folder: string): readonly string[] {
  try {
    return readdirSync(folder).sort();
  } catch (cause) {
    throw new CdcError('CONFIG_FILE_UNREADABLE', `The schemas cannot be read: ${(cause as Error).message}`, {
      where: folder,
      fix: 'Install the package again, or run `npm run gen` in a checkout.',
      cause,
    });
  }
}

/** `sqlite`, `source-sqlite`, or an alias such as `postgres`. */
async function filesOf(name: string, files: readonly string[]): Promise<readonly string[]> {
  const direct = files.filter((file) => file === `${name}.schema.json` || COMPONENT.exec(file)?.[2] === name);
  if (direct.length > 0) return direct;
  const { listTypes } = await import('../../catalog.ts');
  const types = (await listTypes()).filter((t) => t.aliases.includes(name));
  return files.filter((file) => types.some((t) => file === `${t.kind}-${t.type}.schema.json`));
}

function unknown(name: string, files: readonly string[]): CdcError {
  const meant = suggest(
    name,
    files.flatMap((file) => COMPONENT.exec(file)?.[2] ?? []),
  );
  return new CdcError('CONFIG_UNKNOWN_TYPE', `There is no type ${JSON.stringify(name)}`, {
    where: 'command line',
    fix: meant === undefined ? 'List the types with `cdc-run adapters`.' : `Did you mean \`cdc-run schema ${meant}\`?`,
  });
}
