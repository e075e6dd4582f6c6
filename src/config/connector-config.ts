// `type: debezium` with `connector_config`: the properties of a connector become a source of ours before anything looks at it. What
// is wrong with a key of that source is told at the property that it was made of.

import { translateConnector } from '../debezium/connector.ts';
import type { Note } from '../debezium/translation.ts';
import type { Found } from './components.ts';
import { type ConfigDocument, isMapping } from './document.ts';
import { formatPath } from './issue.ts';
import { NAME_PATTERN } from './shell.ts';
import { suggest } from './suggest.ts';

/** The source that is meant; itself when it is another, `null` when it cannot be told: the problem was reported. */
export function ofConnector(found: Found, document: ConfigDocument): Found | null {
  const { connector_config: config, capture_mode: mode, ...own } = found.keys;
  if (found.type !== 'debezium' || !isMapping(config)) return found;
  const at = [...found.keysAt, 'connector_config'];
  // What is wrong with the text was told already.
  if (document.hasTrouble(at)) return null;
  const { name, ...keys } = own;
  if (mode !== undefined && !['wal', 'binlog', 'polling'].includes(String(mode))) {
    document.problem({
      code: 'CONFIG_INVALID_VALUE',
      path: [...found.keysAt, 'capture_mode'],
      message: `${formatPath([...found.keysAt, 'capture_mode'])} is none of wal, binlog, polling`,
      suggestion: suggest(String(mode), ['wal', 'binlog', 'polling']),
      fix: 'Correct it.',
    });
    return null;
  }
  const translated = translateConnector(config, { keys, ...(mode === undefined ? {} : { captureMode: String(mode) }) });
  for (const note of 'notes' in translated ? translated.notes : [translated]) report(note, at, document);
  if (!('notes' in translated)) return null;
  for (const [key, property] of translated.origins) document.standFor([...found.keysAt, key], [...at, property]);
  const given = name ?? (new RegExp(NAME_PATTERN, 'u').test(translated.name ?? '') ? translated.name : undefined);
  return {
    ...found,
    type: translated.type,
    keys: { ...translated.keys, ...(given === undefined ? {} : { name: given }) },
    name: given,
  };
}

function report({ property, level, message, fix }: Note, at: Found['keysAt'], document: ConfigDocument): void {
  const path = [...at, property];
  const issue = { path, atKey: true, message: `${formatPath(path)}: ${message}`, fix };
  if (level === 'error') document.problem({ code: 'CONFIG_INVALID_VALUE', ...issue });
  else document.warn({ code: 'CONFIG_NO_EFFECT', ...issue });
}
