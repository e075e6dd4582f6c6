// Files in the form of other programs, recognised by the keys at their top, and read as the pipelines that do the same. Their texts
// are interpolated first; places in messages are those of the file. `cdc-run validate --print` shows what comes out.

import { ConfigDocument, isMapping } from '../document.ts';
import { validate } from '../validate.ts';
import type { Translated } from './builder.ts';
import * as natsToPostgres from './nats-to-postgres.ts';
import * as rdsToNats from './rds-to-nats.ts';

interface Dialect {
  readonly schema: object;
  isDialect(keys: readonly string[]): boolean;
  translate(value: unknown): Translated[];
}

const DIALECTS: readonly Dialect[] = [rdsToNats, natsToPostgres];

/** `null`: it is a pipeline of ours, or nothing that is known. */
export function dialectOf(value: unknown): Dialect | null {
  if (!isMapping(value) || ['source', 'sources', 'destination', 'destinations', 'config'].some((key) => key in value)) return null;
  const keys = Object.keys(value);
  return DIALECTS.find((dialect) => dialect.isDialect(keys)) ?? null;
}

/** The pipelines as they would be written, with variables as they stand: for people. */
export function shownPipelines(dialect: Dialect, value: unknown): Record<string, unknown>[] {
  return dialect.translate(value).map((t) => t.value);
}

/** The pipelines as documents of their own. Keys that are not known are reported to `document`, whose texts are interpolated. */
export async function translateDocument(dialect: Dialect, document: ConfigDocument): Promise<ConfigDocument[]> {
  await validate(dialect.schema, structuredClone(document.value), [], document);
  return dialect.translate(document.value).map((translated, i) => documentOf(document, translated, i));
}

function documentOf(original: ConfigDocument, { value, moves, ignored, refused }: Translated, i: number): ConfigDocument {
  const { file, baseDir, index } = original;
  const document = new ConfigDocument({ file, baseDir, index: index + i, value, marks: new Map() });
  document.mark([], original.place([]));
  for (const [to, from] of moves) document.adopt(to, original, from);
  for (const [from, reason, unless] of ignored)
    if (unless === null || original.references(from)?.includes(`\${${unless}}`) !== true)
      original.warn({
        code: 'CONFIG_NO_EFFECT',
        path: from,
        atKey: true,
        message: `${from.join('.')} has no effect: ${reason}`,
        fix: 'Remove the key.',
      });
  for (const [path, message, fix] of refused) original.problem({ code: 'CONFIG_FEATURE_NOT_AVAILABLE', path, message, fix });
  return document;
}
