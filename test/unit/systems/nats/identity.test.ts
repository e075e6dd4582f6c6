// Whose certificate is taken for that of a server.

import type { PeerCertificate } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { identityOf, identityOfPeer } from '../../../../src/systems/nats/identity.ts';

const certificateOf = (...names: string[]): PeerCertificate => ({ subject: {}, subjectaltname: names.join(', ') }) as never;

describe('a certificate', () => {
  // `told`: what Node asks for; `localhost` also where the driver told it nothing.
  it.each([
    [['nats.example.com'], 'nats.example.com', ['DNS:nats.example.com'], true],
    [['nats.example.com'], 'nats.example.com', ['DNS:other.example.com'], false],
    [['localhost'], 'localhost', ['DNS:localhost'], true],
    [['127.0.0.1'], 'localhost', ['DNS:localhost'], false],
    [['127.0.0.1'], 'localhost', ['IP Address:127.0.0.1'], true],
    [['[::1]'], 'localhost', ['IP Address:0:0:0:0:0:0:0:1'], true],
    [['10.0.0.1', '10.0.0.2'], 'localhost', ['IP Address:10.0.0.2'], true],
    [['10.0.0.1', 'nats.example.com'], 'localhost', ['DNS:nats.example.com'], false],
    [['10.0.0.1', 'localhost'], 'localhost', ['DNS:localhost'], true],
  ])('with servers %o, asked for %s, of %o: %s', (hosts, told, names, isGood) => {
    expect(identityOf(hosts)(told, certificateOf(...names)) === undefined).toBe(isGood);
  });

  it.each([
    [['nats.example.com'], ['DNS:nats.example.com'], true],
    [['nats.example.com'], ['DNS:localhost'], false],
    [['10.0.0.1', 'nats.example.com'], ['DNS:nats.example.com'], true],
    [['[::1]'], ['IP Address:0:0:0:0:0:0:0:1'], true],
  ])('of a peer of %o, whatever it is called by, of %o: %s', (hosts, names, isGood) => {
    expect(identityOfPeer(hosts)('localhost', certificateOf(...names)) === undefined).toBe(isGood);
  });
});
