// Signatures of records: none, by a shared secret, or by a private key.

import { createHash, createHmac, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { CdcError, type Logger } from 'cdc-run/sdk';
import type { AuditConfig } from './config.ts';

export interface Signer {
  readonly kind: 'none' | 'hmac-sha256' | 'ed25519';
  /** `null` when nothing is signed. */
  sign(text: string): string | null;
  verify(text: string, signature: string | undefined): boolean;
  /** Of keys and rows, in hex. With a shared secret nobody else can find a short key by trying. */
  digest(text: string): string;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const hmac = (key: string, text: string): string => createHmac('sha256', key).update(text).digest('hex');

export const unsigned: Signer = { kind: 'none', sign: () => null, verify: (_text, signature) => signature === undefined, digest: sha256 };

export function hmacSigner(key: string): Signer {
  return {
    kind: 'hmac-sha256',
    sign: (text) => hmac(key, text),
    verify: (text, signature) => signature === hmac(key, text),
    digest: (text) => hmac(key, `digest:${text}`),
  };
}

export function ed25519Signer(privateKey: KeyObject): Signer {
  const publicKey = createPublicKey(privateKey);
  return { ...ed25519Verifier(publicKey), sign: (text) => sign(null, Buffer.from(text), privateKey).toString('base64') };
}

/** Knows whether a signature is right, and cannot make one. */
export function ed25519Verifier(publicKey: KeyObject): Signer {
  return {
    kind: 'ed25519',
    sign: () => null,
    digest: sha256,
    verify: (text, signature) => signature !== undefined && verify(null, Buffer.from(text), publicKey, Buffer.from(signature, 'base64')),
  };
}

/** The signer of a configuration. Throws `CONFIG_INVALID_VALUE` for a key file that cannot be used. */
export function signerOf(config: AuditConfig, logPath: string, logger: Logger): Signer {
  if (!config.digital_signature) return unsigned;
  if (config.key !== undefined) return hmacSigner(config.key);
  if (config.private_key_file !== undefined) return ed25519Signer(loadPrivateKey(config.private_key_file));
  return ed25519Signer(ownKey(`${logPath}.key.pem`, `${logPath}.pub.pem`, logger));
}

function loadPrivateKey(path: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(readFileSync(path));
  } catch (cause) {
    throw keyError(path, cause instanceof Error ? cause.message : String(cause), cause);
  }
  if (key.asymmetricKeyType !== 'ed25519') throw keyError(path, `it holds a key of type ${key.asymmetricKeyType ?? 'unknown'}`);
  return key;
}

function keyError(path: string, what: string, cause?: unknown): CdcError {
  return new CdcError('CONFIG_INVALID_VALUE', `The private key ${path} cannot be used: ${what}.`, {
    where: 'params.private_key_file',
    fix: `Make one with \`openssl genpkey -algorithm ed25519 -out ${path}\`.`,
    cause,
  });
}

/** The key beside the log, made when it is not there yet; perhaps by two processes at once, of which one wins. */
function ownKey(privatePath: string, publicPath: string, logger: Logger): KeyObject {
  if (!existsSync(privatePath)) {
    mkdirSync(dirname(privatePath), { recursive: true, mode: 0o700 });
    const { privateKey } = generateKeyPairSync('ed25519');
    writeNew(privatePath, privateKey.export({ type: 'pkcs8', format: 'pem' }) as string, 0o600);
    logger.warn(
      'made a key for the signatures of the audit log. Keep a copy of the public one elsewhere: who can replace both and the log can forge it',
      {
        made: privatePath,
        public: publicPath,
      },
    );
  }
  const key = loadPrivateKey(privatePath);
  writeNew(publicPath, createPublicKey(key).export({ type: 'spki', format: 'pem' }) as string, 0o644);
  return key;
}

/** Leaves a file that is there as it is. */
function writeNew(path: string, text: string, mode: number): void {
  let file: number;
  try {
    file = openSync(path, 'wx', mode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
    throw error;
  }
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
