// Keeps columns that a transformer hides out of the queue: of the rows, the key and the broker record of a letter. With a key
// they are encrypted and come back whole, without one they are gone. Pure but for the cipher.

import type { DeadLetter, DeadLetterQueue, Protection } from '../engine/api.ts';
import { CdcError, type ChangeEvent, type Row } from '../sdk/index.ts';
import type { Cipher } from './cipher.ts';
import { decodeRaw, encodeRaw } from './event-codec.ts';
import { decodeRow, decodeValue, encodeRow, encodeValue, isObject, type Json } from './value-codec.ts';

/** A queue that writes no letter but protected ones. */
export function protecting(queue: DeadLetterQueue, cipher: Cipher | null): DeadLetterQueue {
  return {
    put: (letters) => queue.put(letters.map((letter) => protect(letter, cipher))),
    ...(queue.check === undefined ? {} : { check: queue.check.bind(queue) }),
    close: () => queue.close(),
  };
}

/** The letter as it may be stored. One without sensitive columns is returned as it is. */
export function protect(letter: DeadLetter, cipher: Cipher | null): DeadLetter {
  const { sensitive: columns, ...rest } = letter;
  if (columns === undefined || (columns !== 'all' && columns.length === 0)) return letter;
  const protection: Protection =
    cipher === null
      ? { kind: 'removed', columns }
      : { kind: 'encrypted', columns, sealed: cipher.seal(JSON.stringify(partsOf(letter)), letter.id) };
  return { ...rest, event: letter.event && without(letter.event, columns), input: null, protection };
}

/** The letter as it was. Throws `DLQ_KEY_MISSING` and `DLQ_KEY_WRONG`, and `DLQ_COLUMNS_REMOVED` when they are gone. */
export function unprotect(letter: DeadLetter, cipher: Cipher | null): DeadLetter {
  const { protection, ...rest } = letter;
  if (protection === undefined || protection === null) return letter;
  const names = protection.columns === 'all' ? 'its input' : protection.columns.join(', ');
  if (protection.kind === 'removed') {
    throw new CdcError('DLQ_COLUMNS_REMOVED', `The letter was written without ${names}, because the queue had no key.`, {
      where: 'error_handling.dead_letter_queue.key',
      fix: 'Change the row at the source so that it is captured again, then purge the letter. With a key, later letters can be replayed.',
    });
  }
  if (cipher === null) {
    throw new CdcError('DLQ_KEY_MISSING', `The letter holds ${names} encrypted, and no key is set.`, {
      where: 'error_handling.dead_letter_queue.key',
      fix: 'Set the key that was in use when the letter was written.',
    });
  }
  return { ...rest, sensitive: protection.columns, ...restored(letter, JSON.parse(cipher.open(protection.sealed, letter.id)) as Json) };
}

/** Whole rows, so that what comes back is the same to the order of its columns. */
function partsOf({ event, input }: DeadLetter): Json {
  if (event === null) return { input: encodeValue(input) };
  return {
    before: encodeRow(event.before),
    after: encodeRow(event.after),
    key: encodeRow(event.key),
    raw: event.raw && encodeRaw(event.raw),
  };
}

function restored({ event }: DeadLetter, parts: Json): Pick<DeadLetter, 'event' | 'input'> {
  if (!isObject(parts)) throw new TypeError('sealed parts are not an object');
  if (event === null) return { event, input: decodeValue(parts['input'] ?? null) as DeadLetter['input'] };
  const row = (name: string): Row | null => decodeRow(parts[name] ?? null);
  const raw = parts['raw'];
  return {
    event: event.copy({ before: row('before'), after: row('after'), key: row('key'), raw: isObject(raw) ? decodeRaw(raw) : null }),
    input: null,
  };
}

function without(event: ChangeEvent, columns: readonly string[] | 'all'): ChangeEvent {
  const kept = (row: Row | null): Row | null =>
    row && Object.fromEntries(Object.entries(row).filter(([name]) => columns !== 'all' && !columns.includes(name)));
  return event.copy({ before: kept(event.before), after: kept(event.after), key: kept(event.key), raw: null });
}
