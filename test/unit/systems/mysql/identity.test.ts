// Whose certificate is taken for that of a server that is called by its address.

import type { Connection } from 'mysql2';
import { describe, expect, it } from 'vitest';
import { requireAddress } from '../../../../src/systems/mysql/identity.ts';

type OnSecure = (error?: Error) => void;

/** `failure`: what encryption itself ends with. */
function encrypted(names: string, address: string, failure?: Error): Error | undefined {
  const driver = {
    stream: { getPeerCertificate: () => ({ subject: {}, subjectaltname: names }) },
    startTLS: (onSecure: OnSecure) => onSecure(failure),
  };
  requireAddress(driver as unknown as Connection, address);
  let found: Error | undefined;
  driver.startTLS((error) => {
    found = error;
  });
  return found;
}

describe('a server that is called by its address', () => {
  it.each([
    ['IP Address:10.0.0.1', '10.0.0.1'],
    ['DNS:db.example.com, IP Address:10.0.0.1', '10.0.0.1'],
    ['IP Address:0:0:0:0:0:0:0:1', '::1'],
  ])('may log in with a certificate of %s at %s', (names, address) => {
    expect(encrypted(names, address)).toBeUndefined();
  });

  it.each([
    ['IP Address:10.0.0.2', '10.0.0.1'],
    ['DNS:localhost', '127.0.0.1'],
    ['DNS:10.0.0.1', '10.0.0.1'],
    ['', '10.0.0.1'],
  ])('is not told the password with a certificate of "%s" at %s', (names, address) => {
    expect(encrypted(names, address)?.message).toMatch(/does not match certificate/);
  });

  it('is not looked at where encryption failed', () => {
    const failure = new Error('self-signed certificate');
    expect(encrypted('IP Address:10.0.0.1', '10.0.0.1', failure)).toBe(failure);
  });

  it('is not connected to by a driver that nobody can ask', () => {
    expect(() => requireAddress({} as Connection, '10.0.0.1')).toThrow('no startTLS');
  });
});
