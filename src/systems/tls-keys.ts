// The configuration key `tls` of the brokers, and what it means for a connection.

import { type ConfigProblem, Default, Keys, type Static, Type } from '../sdk/index.ts';
import type { TlsEndpoint } from './tls.ts';

const tlsSchema = Keys(
  {
    ca: Type.Optional(
      Type.String({
        description: "File with the certificates (PEM) of the authorities to trust, instead of the system's.",
        examples: ['certs/ca.pem'],
      }),
    ),
    cert: Type.Optional(
      Type.String({ description: 'File with our certificate (PEM), where the server asks clients for one.', examples: ['client.pem'] }),
    ),
    key: Type.Optional(Type.String({ description: 'File with the private key (PEM) of `cert`.', examples: ['client.key'] })),
    verify: Default(Type.Boolean({ description: 'Check the name and the chain of the certificate of the server.' }), true),
  },
  { description: 'An encrypted connection.' },
);

export const tlsKey = Type.Optional(Type.Union([Type.Boolean(), tlsSchema], { description: 'Encrypt the connection.', examples: [true] }));

export type TlsConfig = Static<typeof tlsSchema> | boolean | undefined;

export function tlsProblems(tls: TlsConfig): ConfigProblem[] {
  if (typeof tls !== 'object' || (tls.cert === undefined) === (tls.key === undefined)) return [];
  return [{ path: ['tls'], message: '"cert" and "key" belong together', fix: 'Give both files, or neither.' }];
}

/** `byUrl`: what the scheme of the URL says. */
export function tlsOf(tls: TlsConfig, byUrl: boolean): TlsEndpoint {
  if (tls === undefined || typeof tls === 'boolean') return { sslMode: (tls ?? byUrl) ? 'verify-full' : 'disable' };
  const files: Partial<TlsEndpoint> = {
    ...(tls.ca === undefined ? {} : { sslCa: tls.ca }),
    ...(tls.cert === undefined ? {} : { sslCert: tls.cert }),
    ...(tls.key === undefined ? {} : { sslKey: tls.key }),
  };
  if (tls.verify) return { sslMode: 'verify-full', ...files };
  // Without a look at who answers an authority has no say.
  const { sslCa: _, ...own } = files;
  return { sslMode: 'require', ...own };
}
