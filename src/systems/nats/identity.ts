// Whose certificate a server must show. The driver tells Node the name that it was asked for, and nothing where that is an address in
// digits: Node would take a certificate of `localhost` for right then, and none else.

import { isIP } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';

const UNTOLD = 'localhost';

/** For Node's TLS. `hosts`: those that may be called, as URLs have them; which of the addresses among them it is nobody tells. */
export function identityOf(hosts: readonly string[]): (name: string, certificate: PeerCertificate) => Error | undefined {
  const untold = hosts.map((host) => host.replace(/^\[(.*)\]$/, '$1')).filter((host) => host === UNTOLD || isIP(host) !== 0);
  return (name, certificate) => {
    const asked = name === UNTOLD && untold.length > 0 ? untold : [name],
      wrong = asked.map((host) => checkServerIdentity(host, certificate));
    return wrong.includes(undefined) ? undefined : wrong[0];
  };
}

/** Of one that the cluster has named, mostly by an address in digits: its certificate is of one of those that are configured. */
export function identityOfPeer(hosts: readonly string[]): (name: string, certificate: PeerCertificate) => Error | undefined {
  return (_, certificate) => {
    const wrong = hosts.map((host) => checkServerIdentity(host.replace(/^\[(.*)\]$/, '$1'), certificate));
    return wrong.includes(undefined) ? undefined : wrong[0];
  };
}
