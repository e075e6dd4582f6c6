// Writes what is derived from the schemas: schemas/*.schema.json, docs/reference/*.md, and the Configuration section of each
// adapter's README. `--check` writes nothing and exits 1 when a file is not up to date.
// Run: tsx --conditions=source scripts/gen.ts [--check]

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { listTypes, type TypeInfo } from '../src/catalog.ts';
import { componentSchema } from './gen/editor-schema.ts';
import { destinationsPage, errorCodesPage, pipelinePage, pluginsPage, sourcesPage } from './gen/pages.ts';
import { pipelineSchema } from './gen/pipeline-schema.ts';
import { configurationTable } from './gen/tables.ts';

const ROOT = resolve(import.meta.dirname, '..');
const GENERATED_SCHEMA = /^(source|destination|transformer|middleware|hook)-.*\.schema\.json$/;

/** Path below the root → text. */
function outputs(types: readonly TypeInfo[]): Map<string, string> {
  const files = new Map<string, string>();
  const json = (name: string, schema: object): unknown => files.set(`schemas/${name}.schema.json`, `${JSON.stringify(schema, null, 2)}\n`);
  json('pipeline', pipelineSchema(types));
  for (const type of types) json(`${type.kind}-${type.type}`, componentSchema(type));
  files.set('docs/reference/sources.md', sourcesPage(types));
  files.set('docs/reference/destinations.md', destinationsPage(types));
  files.set('docs/reference/plugins.md', pluginsPage(types));
  files.set('docs/reference/pipeline.md', pipelinePage());
  files.set('docs/reference/error-codes.md', errorCodesPage());
  for (const type of types) {
    const path = readmeOf(type);
    if (path !== null) files.set(path, withConfiguration(readFileSync(join(ROOT, path), 'utf8'), configurationTable(type)));
  }
  return files;
}

/** Folders are named like their types, with `-` or `_`. */
function readmeOf({ kind, type, available }: TypeInfo): string | null {
  if (!available) return null;
  const folder = {
    source: 'src/sources',
    destination: 'src/destinations',
    transformer: 'plugins/transformers',
    middleware: 'plugins/middleware',
    hook: 'src/hooks',
  }[kind];
  const paths = [type, type.replaceAll('_', '-')].map((name) => `${folder}/${name}/README.md`);
  return paths.find((path) => existsSync(join(ROOT, path))) ?? null;
}

const BEGIN = '<!-- generated -->',
  END = '<!-- /generated -->';

/** The README with the table between its markers, or below its heading when it has none yet. */
function withConfiguration(readme: string, table: string): string {
  const block = `${BEGIN}\n\n${table}\n\n${END}`;
  const begin = readme.indexOf(BEGIN),
    end = readme.indexOf(END);
  if (begin >= 0 && end > begin) return readme.slice(0, begin) + block + readme.slice(end + END.length);
  return readme.replace(/^## Configuration\n/m, () => `## Configuration\n\n${block}\n`);
}

/** Schemas of types that are gone. */
function staleFiles(files: ReadonlyMap<string, string>): string[] {
  const folder = join(ROOT, 'schemas');
  const names = existsSync(folder) ? readdirSync(folder) : [];
  return names
    .filter((name) => GENERATED_SCHEMA.test(name))
    .map((name) => `schemas/${name}`)
    .filter((path) => !files.has(path));
}

function write(path: string, text: string): void {
  mkdirSync(dirname(join(ROOT, path)), { recursive: true });
  writeFileSync(join(ROOT, path), text);
}

async function main(check: boolean): Promise<number> {
  const files = outputs(await listTypes());
  const changed = [...files].filter(([path, text]) => !existsSync(join(ROOT, path)) || readFileSync(join(ROOT, path), 'utf8') !== text);
  const stale = staleFiles(files);
  const names = [...changed.map(([path]) => path), ...stale];
  if (check) {
    for (const name of names) console.error(`not up to date: ${name}`);
    if (names.length > 0) console.error('Run `npm run gen`.');
    return names.length > 0 ? 1 : 0;
  }
  for (const [path, text] of changed) write(path, text);
  for (const path of stale) rmSync(join(ROOT, path));
  console.error(names.length === 0 ? 'everything is up to date' : `wrote ${names.length} of ${files.size} files`);
  return 0;
}

process.exitCode = await main(process.argv.includes('--check'));
