// The key of a dead letter queue: AES-256-GCM over what may not be kept in clear. https://csrc.nist.gov/pubs/sp/800/38/d/final

import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from 'node:crypto';
import type { SealedText } from '../engine/api.ts';
import { CdcError } from '../sdk/index.ts';

const ALGORITHM = 'aes-256-gcm';
const KEY_BYTES = 32;
/** The length GCM is made for. Random ones are safe up to 2^32 letters per key. */
const IV_BYTES = 12;
const SALT_BYTES = 16;
/** A tenth of a second and 32 MiB: once per process, since all its letters share a salt. */
const SCRYPT = { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 1024 * 1024 };

export interface Cipher {
  /** `context` must be the same when it is opened: a sealed text does not fit another letter. */
  seal(text: string, context: string): SealedText;
  /** Throws `DLQ_KEY_WRONG`. */
  open(sealed: SealedText, context: string): string;
}

/**
 * | key | used as |
 * |---|---|
 * | 64 hex digits | 32 bytes |
 * | base64 of 32 bytes | 32 bytes |
 * | anything else | a passphrase: scrypt with a salt |
 */
export function createCipher(key: string): Cipher {
  const bytes = keyBytes(key);
  const derived = new Map<string, Buffer>();
  const derive = (salt: string): Buffer => {
    let found = derived.get(salt);
    if (found === undefined) {
      found = scryptSync(key, Buffer.from(salt, 'base64'), KEY_BYTES, SCRYPT);
      derived.set(salt, found);
    }
    return found;
  };
  let ownSalt: string | null = null;
  return {
    seal: (text, context) => {
      // Chance from the system here, not from Random: it must be unpredictable.
      if (bytes === null) ownSalt ??= randomBytes(SALT_BYTES).toString('base64');
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv(ALGORITHM, bytes ?? derive(ownSalt as string), iv).setAAD(Buffer.from(context));
      const data = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      const [tag, ivText, dataText] = [cipher.getAuthTag(), iv, data].map((part) => part.toString('base64')) as [string, string, string];
      return { alg: ALGORITHM, salt: ownSalt, iv: ivText, tag, data: dataText };
    },
    open: (sealed, context) => {
      const own = sealed.salt === null ? bytes : derive(sealed.salt);
      if (own === null) throw wrongKey();
      try {
        const decipher = createDecipheriv(ALGORITHM, own, Buffer.from(sealed.iv, 'base64'), { authTagLength: 16 });
        decipher.setAAD(Buffer.from(context)).setAuthTag(Buffer.from(sealed.tag, 'base64'));
        return Buffer.concat([decipher.update(Buffer.from(sealed.data, 'base64')), decipher.final()]).toString('utf8');
      } catch (cause) {
        throw wrongKey(cause);
      }
    },
  };
}

function keyBytes(key: string): Buffer | null {
  if (/^[0-9a-f]{64}$/i.test(key)) return Buffer.from(key, 'hex');
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(key)) return null;
  const bytes = Buffer.from(key, 'base64');
  return bytes.length === KEY_BYTES ? bytes : null;
}

function wrongKey(cause?: unknown): CdcError {
  return new CdcError(
    'DLQ_KEY_WRONG',
    'The key does not open the protected columns of the letter: it is another one, or the letter was changed.',
    {
      where: 'error_handling.dead_letter_queue.key',
      fix: 'Set the key that was in use when the letter was written.',
      cause,
    },
  );
}
