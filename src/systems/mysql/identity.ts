// Whose certificate a server that is called by an address in digits must show. The driver tells Node no name then, and Node would
// take a certificate of `localhost` for right, and none else.

import { checkServerIdentity, type TLSSocket } from 'node:tls';
import type { Connection } from 'mysql2';

/** The driver's way into encryption. `onSecure` sends the login, or fails the connection with what it is given. */
interface Securing {
  startTLS(onSecure: (error?: Error) => void): void;
  readonly stream: TLSSocket;
}

/** Before a connection that has begun to connect logs in, the certificate must be one of `address`. */
export function requireAddress(connection: Connection, address: string): void {
  const securing = connection as Connection & Securing,
    { startTLS } = securing;
  // Without it nobody would look: then there is no connection.
  if (typeof startTLS !== 'function') throw new Error('the driver has no startTLS');
  securing.startTLS = (onSecure) =>
    startTLS.call(securing, (error) => onSecure(error ?? checkServerIdentity(address, securing.stream.getPeerCertificate())));
}
