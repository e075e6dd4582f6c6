// A certificate authority and a certificate of it for `localhost`, of servers and clients alike, made by OpenSSL.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class Certificates implements Disposable {
  readonly #folder: string;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;

  /** In files of a folder of their own, which goes with the scope. */
  constructor() {
    this.#folder = mkdtempSync(join(tmpdir(), 'cdc-certificates-'));
    this.ca = this.path('ca.pem');
    this.cert = this.path('server.pem');
    this.key = this.path('server.key');
    const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'ignore' });
    const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    openssl('req', '-x509', ...ec, '-days', '30', '-subj', '/CN=test authority', '-keyout', this.path('ca.key'), '-out', this.ca);
    openssl('req', ...ec, '-subj', '/CN=localhost', '-keyout', this.key, '-out', this.path('server.csr'));
    writeFileSync(this.path('names'), 'subjectAltName=DNS:localhost');
    const sign = ['-CA', this.ca, '-CAkey', this.path('ca.key'), '-CAcreateserial', '-days', '30', '-extfile', this.path('names')];
    openssl('x509', '-req', '-in', this.path('server.csr'), ...sign, '-out', this.cert);
  }

  path(name: string): string {
    return join(this.#folder, name);
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
