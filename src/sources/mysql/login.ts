// Where the server is and who logs in, as the driver takes it.

import type { ConnectionOptions as TlsOptions } from 'node:tls';

export interface Login {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string | null;
  readonly socketPath: string | null;
  /** Read anew for each connection: certificate files change. `null`: not encrypted. */
  tls(): Promise<(TlsOptions & { readonly verifyIdentity?: boolean }) | null>;
  readonly connectionTimeoutMs: number;
}
