import { describe, expect, it } from 'vitest';
import { isSecretKey, redact, redactText } from '../../../src/observability/redact.ts';
import { CdcError } from '../../../src/sdk/index.ts';

describe('redactText', () => {
  it.each([
    ['postgresql://app:hunter2@db/shop', 'postgresql://app:***@db/shop'],
    ['redis://:hunter2@cache:6379/0', 'redis://:***@cache:6379/0'],
    [
      'failed: amqp://guest:p%40ss@mq:5672 (and again amqp://guest:p%40ss@mq)',
      'failed: amqp://guest:***@mq:5672 (and again amqp://guest:***@mq)',
    ],
    ['mongodb://u:a:b@h/db', 'mongodb://u:***@h/db'],
    ['nats://t0ken@h:4222, tls://t0ken@g', 'nats://***@h:4222, tls://***@g'],
    ['nats://cdc:hunter2@h:4222', 'nats://cdc:***@h:4222'],
    ['https://h/x?user=a&password=hunter2&b=1', 'https://h/x?user=a&password=***&b=1'],
    ['host=db password=hunter2 dbname=shop', 'host=db password=*** dbname=shop'],
    ["Server=db;Password='a b';Database=x", 'Server=db;Password=***;Database=x'],
    ['PGPASSWORD=hunter2 psql', 'PGPASSWORD=*** psql'],
    ['authorization: Bearer abcdef012345', 'authorization: Bearer ***'],
  ])('masks the credentials in %j', (text, masked) => {
    expect(redactText(text)).toBe(masked);
  });

  it.each(['http://127.0.0.1:8080/health', 'connect ECONNREFUSED 127.0.0.1:5432', 'a@b.c', '12:30:00 at x@y', 'SELECT a = 1'])(
    'leaves %j as it is',
    (text) => {
      expect(redactText(text)).toBe(text);
    },
  );
});

describe('redact', () => {
  it.each(['password', 'sasl_password', 'Authorization', 'apiKey', 'access_token', 'clientSecret', 'secret', 'x-api-key', 'cookie'])(
    'knows %s as secret',
    (key) => {
      expect(isSecretKey(key)).toBe(true);
    },
  );

  it.each(['key', 'key_field', 'tokens_per_second', 'passed', 'table', 'secretary', 'keys'])('does not take %s for secret', (key) => {
    expect(isSecretKey(key)).toBe(false);
  });

  it('masks values under secret keys at any depth and credentials in strings', () => {
    expect(redact({ a: { password: 'x', urls: ['kafka://u:p@h'] }, token: 5, secret: null })).toEqual({
      a: { password: '***', urls: ['kafka://u:***@h'] },
      token: '***',
      secret: null,
    });
  });

  it('makes everything fit for JSON and ends at cycles', () => {
    const cycle: Record<string, unknown> = { big: 9_007_199_254_740_993n, bytes: new Uint8Array(3), when: new Date(0), f: () => 1 };
    cycle['self'] = cycle;
    expect(() => JSON.stringify(redact(cycle))).not.toThrow();
    expect(redact({ big: 1n, bytes: new Uint8Array(3), when: new Date(0) })).toEqual({
      big: '1',
      bytes: '<3 bytes>',
      when: '1970-01-01T00:00:00.000Z',
    });
  });

  it('shows an error with code, message and fix, and masks what its cause says', () => {
    const error = new CdcError('SOURCE_UNREACHABLE', 'no answer', { fix: 'Start it.', cause: new Error('at mysql://u:p@h') });
    expect(redact({ error })).toEqual({
      error: {
        code: 'SOURCE_UNREACHABLE',
        message: 'no answer',
        where: null,
        fix: 'Start it.',
        retriable: false,
        cause: 'at mysql://u:***@h',
      },
    });
  });
});
