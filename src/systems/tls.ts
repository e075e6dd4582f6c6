// Encryption of a connection, as libpq means the modes: keys, certificate files, what Node's TLS takes.

import { readFile } from 'node:fs/promises';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import { type ConfigProblem, Keys, Type } from '../sdk/index.ts';

export { complaintOf, isCertificateError } from '../util/certificate-error.ts';

export const SSL_MODES = ['disable', 'require', 'verify-ca', 'verify-full'] as const;

export type SslMode = (typeof SSL_MODES)[number];

export const sslSchema = Keys(
  {
    ca: Type.Optional(
      Type.String({
        description: "File with the certificates (PEM) of the authorities to trust, instead of the system's.",
        examples: ['certs/ca.pem'],
      }),
    ),
    cert: Type.Optional(
      Type.String({
        description: 'File with our certificate (PEM), where the server asks clients for one.',
        examples: ['certs/client.pem'],
      }),
    ),
    key: Type.Optional(Type.String({ description: 'File with the private key (PEM) of `cert`.', examples: ['certs/client.key'] })),
  },
  { description: 'Certificate files of an encrypted connection.' },
);

/** How a connection is encrypted. */
export interface TlsEndpoint {
  readonly sslMode: SslMode;
  readonly sslCa?: string;
  readonly sslCert?: string;
  readonly sslKey?: string;
}

export function sslFileProblems(ssl: { readonly cert?: string; readonly key?: string } | undefined): ConfigProblem[] {
  if ((ssl?.cert === undefined) === (ssl?.key === undefined)) return [];
  return [{ path: ['ssl'], message: '"cert" and "key" belong together', fix: 'Give both files, or neither.' }];
}

/** A certificate file that cannot be read. What that means for a component, its `errors.ts` says. */
export class CertificateFileError extends Error {
  override readonly name = 'CertificateFileError';
  readonly file: string;

  constructor(file: string, cause: unknown) {
    super(`The certificate file ${file} cannot be read.`, { cause });
    this.file = file;
  }
}

/** TLS as libpq means the mode: `require` with an authority checks it, too. `false` = not encrypted. Throws `CertificateFileError`. */
export async function tlsOptions(endpoint: TlsEndpoint, read: (file: string) => Promise<string> = readPem): Promise<TlsOptions | false> {
  const { sslMode, sslCa, sslCert, sslKey } = endpoint;
  if (sslMode === 'disable') return false;
  const files: TlsOptions = {
    ...(sslCa === undefined ? {} : { ca: await read(sslCa) }),
    ...(sslCert === undefined ? {} : { cert: await read(sslCert) }),
    ...(sslKey === undefined ? {} : { key: await read(sslKey) }),
  };
  if (sslMode === 'require' && sslCa === undefined) return { ...files, rejectUnauthorized: false };
  const anyName = sslMode === 'verify-full' ? {} : { checkServerIdentity: () => undefined };
  return { ...files, rejectUnauthorized: true, ...anyName };
}

async function readPem(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new CertificateFileError(file, cause);
  }
}

/** Codes by which Node says that nobody is reached. */
export const NETWORK_CODES: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EPIPE',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'ENOENT',
  'EADDRNOTAVAIL',
]);
