// The section `dead_letter_queue`, of a pipeline or of one destination → where letters go. A destination that takes letters is
// checked like any other.

import type { DeadLetterQueueConfig } from '../engine/pipeline-config.ts';
import { type Context, checkAll, foundAt } from './components.ts';
import { isMapping } from './document.ts';
import { checkEnvelope } from './envelopes.ts';
import type { Path } from './issue.ts';
import type { DeadLetterQueueSection } from './operation-sections.ts';
import { LetterDestinationKeys } from './shell.ts';

const MIN_PASSPHRASE = 12;
const EXTENSION = { file: 'ndjson', sqlite: 'db' } as const;

/** `null`: not given, or a problem was reported. `name` makes the default path. */
export async function checkDeadLetterQueue(
  errorHandling: { readonly dead_letter_queue?: DeadLetterQueueSection } | undefined,
  at: Path,
  name: string,
  context: Context,
): Promise<DeadLetterQueueConfig | null> {
  const path = [...at, 'dead_letter_queue'],
    section = errorHandling?.dead_letter_queue;
  // What is not well-formed was reported with the shell.
  if (!isMapping(section) || context.document.hasTrouble(path)) return null;
  checkCombination(section, path, context);
  const { type, key = null } = section;
  if (context.document.hasTrouble(path)) return null;
  if (type !== 'destination') return { type, key, path: section.path ?? `.cdc/dlq/${name}.${EXTENSION[type]}` };
  const keys = section.destination as Record<string, unknown>;
  const [checked] = await checkAll([foundAt('destination', keys, [...path, 'destination'])], LetterDestinationKeys, context);
  const envelope = await checkEnvelope(keys['envelope'] ?? 'plain', [...path, 'destination', 'envelope'], context);
  return checked === null || checked === undefined ? null : { type, key, destination: { ...checked.component, envelope } };
}

function checkCombination({ type, path: file, destination, key }: DeadLetterQueueSection, at: Path, { document }: Context): void {
  const problem = (name: string, message: string, fix: string): void => {
    document.problem({ code: 'CONFIG_INVALID_VALUE', path: [...at, name], message, fix });
  };
  if (type === 'destination' && destination === undefined)
    document.problem({
      code: 'CONFIG_MISSING_KEY',
      path: at,
      message: 'missing key "destination": the dead letter queue is of type destination',
      expected: 'a mapping of keys',
      fix: 'Add destination with its type, such as `destination: {type: postgresql, url: …}`.',
    });
  if (type === 'destination' && file !== undefined)
    problem('path', 'path has no meaning for a dead letter queue of type destination', 'Remove it, or set type to file or sqlite.');
  if (type !== 'destination' && destination !== undefined)
    problem('destination', `destination has no meaning for a dead letter queue of type ${type}`, 'Set type to destination, or remove it.');
  if (key !== undefined && key.length < MIN_PASSPHRASE)
    problem('key', `the key of the dead letter queue has fewer than ${MIN_PASSPHRASE} characters`, 'Make one with `openssl rand -hex 32`.');
}
