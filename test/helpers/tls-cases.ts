// Who gets into a server that shows a certificate for `localhost` and asks for one of its authority, and what the others are told.

import { expect } from 'vitest';
import type { Destination, Finding, Source } from '../../src/sdk/index.ts';
import { Certificates } from './certificates.ts';

/** The key `tls`, as the loader hands it over. */
export interface TlsSettings {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly verify: boolean;
}

export interface TlsCase {
  readonly host: string;
  readonly tls: (files: TlsFiles) => TlsSettings;
  /** What both ends are told. */
  readonly code: string;
}

/** Those of the server's authority, which signed our certificate, too, and those of another one. */
export class TlsFiles implements Disposable {
  readonly own = new Certificates();
  readonly other = new Certificates();

  [Symbol.dispose](): void {
    this.own[Symbol.dispose]();
    this.other[Symbol.dispose]();
  }
}

const ours = ({ own: { ca, cert, key } }: TlsFiles): TlsSettings => ({ ca, cert, key, verify: true });

/** The server `is` … */
export const TLS_CASES: readonly (readonly [is: string, TlsCase])[] = [
  ['open to who trusts its authority and has a certificate of it', { host: 'localhost', tls: ours, code: '' }],
  [
    'open to who does not look at its certificate',
    { host: '127.0.0.1', tls: ({ own: { cert, key } }) => ({ cert, key, verify: false }), code: '' },
  ],
  [
    'closed to who trusts another authority',
    { host: 'localhost', tls: (files) => ({ ...ours(files), ca: files.other.ca }), code: 'FORBIDDEN' },
  ],
  [
    'closed to who trusts the authorities of the system',
    { host: 'localhost', tls: ({ own: { cert, key } }) => ({ cert, key, verify: true }), code: 'FORBIDDEN' },
  ],
  ['closed to who calls it by a name that is not in its certificate', { host: '127.0.0.1', tls: ours, code: 'FORBIDDEN' }],
  // With TLS 1.3 the server hangs up behind the handshake: whether its reason comes through is a matter of luck.
  [
    'closed to who has no certificate',
    { host: 'localhost', tls: ({ own: { ca } }) => ({ ca, verify: true }), code: 'FORBIDDEN|UNREACHABLE' },
  ],
  [
    'closed to who has a certificate of another authority',
    {
      host: 'localhost',
      tls: ({ own: { ca }, other: { cert, key } }) => ({ ca, cert, key, verify: true }),
      code: 'FORBIDDEN|UNREACHABLE',
    },
  ],
  [
    'closed to who has no file of authorities',
    { host: 'localhost', tls: (files) => ({ ...ours(files), ca: files.own.path('none.pem') }), code: 'MISCONFIGURED' },
  ],
];

/** What the ends find out about their server before they read or write, and closes them: codes of errors. */
export async function errorsOf(...ends: readonly (Destination | Source)[]): Promise<(string | undefined)[]> {
  const found: Finding[] = [];
  for (const end of ends) {
    for await (const finding of end.check()) found.push(finding);
    await end.close();
  }
  return found.filter((f) => f.level === 'error').map((f) => f.code);
}

/** What `errorsOf` a destination and a source gives in this case. */
export function expectedOf({ code }: TlsCase): unknown[] {
  return code === '' ? [] : ['DESTINATION', 'SOURCE'].map((end) => expect.stringMatching(new RegExp(`^${end}_(${code})$`)));
}
