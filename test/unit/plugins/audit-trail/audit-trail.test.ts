import { createHash, generateKeyPairSync } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { CdcError, type Logger, silentLogger, type WriteResult } from 'cdc-run/sdk';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { canonical } from '../../../../plugins/middleware/audit-trail/canonical.ts';
import { type AuditConfig, configSchema } from '../../../../plugins/middleware/audit-trail/config.ts';
import { descriptor } from '../../../../plugins/middleware/audit-trail/index.ts';
import { verifyAuditLog } from '../../../../plugins/middleware/audit-trail/verify.ts';
import { linesUntilKilled } from '../../../helpers/child.ts';
import { withDefaults } from '../events.ts';
import { batchOf, change, folder, STORED, trailAt, writeSome } from './helpers.ts';

const KEY = 'a key of enough characters';
type Line = Record<string, unknown>;
const records = (path: string): Line[] =>
  readFileSync(path, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line);
const kinds = (path: string): unknown[] => records(path).map((r) => r['kind']);
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

describe('what is recorded', () => {
  it('stands in the log before the write, and its result after it', async () => {
    await using f = await folder();
    const trail = await trailAt(f.path);
    const seen: unknown[] = [];
    const result = await trail.aroundWrite('bus', batchOf([change(1), change(2)]), async () => {
      seen.push(...kinds(f.path));
      return STORED;
    });
    await trail.close();
    expect([seen, result]).toEqual([['open', 'write'], STORED]);
    expect(records(f.path)).toMatchObject([
      {
        seq: 1,
        kind: 'open',
        pipeline: 'orders',
        level: 'basic',
        signature: 'none',
        cut_bytes: 0,
        prev: '0'.repeat(64),
        time_ms: 1_700_000_000_000,
      },
      {
        seq: 2,
        kind: 'write',
        pipeline: 'orders',
        lane: 'bus',
        count: 2,
        events: [
          { id: change(1).id, op: 'u', table: 'public.orders', key: sha256('{"id":1n}') },
          { id: change(2).id, op: 'u', table: 'public.orders', key: sha256('{"id":2n}') },
        ],
      },
      { seq: 3, kind: 'confirmed', write: 2, count: 2 },
    ]);
    expect(statSync(f.path).mode & 0o777).toBe(0o600);
  });

  it('holds digests of the rows at level full, and never the rows', async () => {
    await using f = await folder();
    await writeSome(f.path, { audit_level: 'full' }, 1, 2);
    expect(records(f.path)[1]).toMatchObject({
      events: [{ before: sha256('{"id":1n,"name":"secret before"}'), after: sha256('{"id":1n,"name":"row 1","photo":b"AQ=="}') }, {}],
    });
    expect(readFileSync(f.path, 'utf8')).not.toMatch(/secret|row 1/);
  });

  it('leaves out what was written or parked by an earlier call, and batches without events', async () => {
    await using f = await folder();
    const trail = await trailAt(f.path);
    await trail.aroundWrite('bus', batchOf([]), async () => STORED);
    expect(existsSync(f.path)).toBe(false);
    await trail.aroundWrite('bus', batchOf([change(1), change(2), change(3)], [0, 2]), async () => STORED);
    await trail.aroundWrite('bus', batchOf([change(1)], [0]), async () => STORED);
    await trail.close();
    expect(records(f.path).slice(1)).toMatchObject([
      { kind: 'write', count: 1, events: [{ id: change(2).id }] },
      { kind: 'confirmed', count: 1 },
    ]);
  });

  const failure = { index: 1, error: new CdcError('DESTINATION_EVENT_REJECTED', 'no') };
  const results: [WriteResult, Line][] = [
    [
      { kind: 'refused', failed: [failure] },
      { kind: 'refused', write: 2, failed: [change(2).id] },
    ],
    [
      { kind: 'partial', written: [0], failed: [failure] },
      { kind: 'partial', write: 2, count: 1, written: [change(1).id], failed: [change(2).id] },
    ],
  ];
  it.each(results)('tells %o apart from a stored write', async (result, expected) => {
    await using f = await folder();
    const trail = await trailAt(f.path);
    expect(await trail.aroundWrite('bus', batchOf([change(1), change(2)]), async () => result)).toBe(result);
    await trail.close();
    expect(records(f.path)[2]).toMatchObject(expected);
  });

  it('tells of a write that threw, and throws the same', async () => {
    await using f = await folder();
    const trail = await trailAt(f.path),
      error = new CdcError('DESTINATION_UNREACHABLE', 'gone', { retriable: true });
    await expect(
      trail.aroundWrite('bus', batchOf([change(1)]), async () => {
        throw error;
      }),
    ).rejects.toBe(error);
    await trail.close();
    expect(records(f.path)[2]).toMatchObject({ kind: 'failed', write: 2, code: 'DESTINATION_UNREACHABLE' });
  });

  it('of several lanes at once is one chain', async () => {
    await using f = await folder();
    const trail = await trailAt(f.path);
    const lanes = Array.from({ length: 4 }, async (_, lane) => {
      for (let n = 0; n < 20; n++) await trail.aroundWrite(`lane ${lane}`, batchOf([change(n)]), async () => STORED);
    });
    await Promise.all(lanes);
    await trail.close();
    expect(await verifyAuditLog(f.path)).toEqual({
      records: 161,
      ok: true,
      signatures: 'none',
      unconfirmedWrites: 0,
      incompleteLine: false,
    });
  });

  it('goes on after a restart, which it tells', async () => {
    await using f = await folder();
    await writeSome(f.path, {}, 1, 4);
    await writeSome(f.path, {}, 5, 6);
    expect(kinds(f.path)).toEqual(['open', 'write', 'confirmed', 'write', 'confirmed', 'open', 'write', 'confirmed']);
    expect(await verifyAuditLog(f.path)).toMatchObject({ records: 8, ok: true });
  });
});

describe('canonical text', () => {
  const table: [unknown, string][] = [
    [{ b: 1, a: [true, null, 'ü"\n'] }, '{"a":[true,null,"ü\\"\\n"],"b":1}'],
    [{ n: 1n, x: new Uint8Array([1, 2]), nan: Number.NaN, zero: -0 }, '{"n":1n,"nan":NaN,"x":b"AQI=","zero":-0}'],
  ];
  it.each(table)('of %o is %s', (value, text) => {
    expect(canonical(value as never)).toBe(text);
  });
});

describe('signatures', () => {
  it('are made with a key beside the log when none is given, once', async () => {
    await using f = await folder();
    const warnings: string[] = [];
    const logger: Logger = {
      ...silentLogger,
      warn: (message) => {
        warnings.push(message);
      },
    };
    for (const n of [1, 3]) {
      const trail = await trailAt(f.path, { digital_signature: true }, logger);
      await trail.aroundWrite('bus', batchOf([change(n)]), async () => STORED);
      await trail.close();
    }
    expect(warnings).toHaveLength(1);
    expect(statSync(`${f.path}.key.pem`).mode & 0o777).toBe(0o600);
    const publicKey = readFileSync(`${f.path}.pub.pem`, 'utf8');
    expect(await verifyAuditLog(f.path, { publicKey })).toMatchObject({ ok: true, records: 6, signatures: 'checked' });
    expect(await verifyAuditLog(f.path)).toMatchObject({ ok: true, signatures: 'unchecked' });
  });

  it('by a shared secret are checked with it, and digests need it too', async () => {
    await using f = await folder();
    await writeSome(f.path, { digital_signature: true, key: KEY }, 1, 4);
    expect(await verifyAuditLog(f.path, { hmacKey: KEY })).toMatchObject({ ok: true, signatures: 'checked' });
    expect(readFileSync(f.path, 'utf8')).not.toContain(sha256('{"id":1n}'));
  });

  const wrong: [string, { hmacKey?: string; publicKey?: string }, RegExp][] = [
    ['another secret', { hmacKey: 'another key of enough chars' }, /not signed with this key/],
    ['a key of another kind', { publicKey: 'pem' }, /not signed with this key/],
  ];
  it.each(wrong)('do not pass with %s', async (_title, options, reason) => {
    await using f = await folder();
    await writeSome(f.path, { digital_signature: true, key: KEY }, 1, 2);
    await writeSome(join(f.dir, 'other'), { digital_signature: true }, 1, 2);
    const given = options.publicKey === undefined ? options : { publicKey: readFileSync(join(f.dir, 'other.pub.pem'), 'utf8') };
    expect(await verifyAuditLog(f.path, given)).toMatchObject({ ok: false, brokenAt: { reason: expect.stringMatching(reason) } });
  });

  const kinds_: [string, Partial<AuditConfig>, Partial<AuditConfig>][] = [
    ['signed, begun unsigned', {}, { digital_signature: true, key: KEY }],
    ['unsigned, begun signed', { digital_signature: true, key: KEY }, {}],
    ['Ed25519, begun with HMAC', { digital_signature: true, key: KEY }, { digital_signature: true }],
  ];
  it.each(kinds_)('of another kind than the log was begun with (%s) are a configuration error', async (_title, first, then) => {
    await using f = await folder();
    await writeSome(f.path, first, 1, 2);
    const before = readFileSync(f.path, 'utf8');
    await expect(writeSome(f.path, then, 3, 4)).rejects.toMatchObject({ code: 'CONFIG_INVALID_VALUE', where: 'params.digital_signature' });
    expect(readFileSync(f.path, 'utf8')).toBe(before);
  });

  it('with another key than the log was begun with stop the pipeline', async () => {
    await using f = await folder();
    await writeSome(f.path, { digital_signature: true, key: KEY }, 1, 2);
    await expect(writeSome(f.path, { digital_signature: true, key: `${KEY}!` }, 3, 4)).rejects.toMatchObject({
      code: 'AUDIT_CHAIN_BROKEN',
    });
  });

  it('need a key file that is one', async () => {
    await using f = await folder();
    const file = join(f.dir, 'key.pem');
    const attempt = writeSome(f.path, { digital_signature: true, private_key_file: file }, 3, 4);
    await expect(attempt).rejects.toMatchObject({ code: 'CONFIG_INVALID_VALUE', fix: expect.stringContaining('openssl genpkey') });
    writeFileSync(file, generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }));
    await expect(writeSome(f.path, { digital_signature: true, private_key_file: file }, 3, 4)).rejects.toMatchObject({
      message: expect.stringMatching(/key of type rsa/),
    });
    writeFileSync(file, generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }));
    await writeSome(f.path, { digital_signature: true, private_key_file: file }, 3, 4);
    expect(await verifyAuditLog(f.path)).toMatchObject({ ok: true, signatures: 'unchecked' });
  });
});

describe('configuration', () => {
  const cases: [Partial<AuditConfig>, number][] = [
    [{ audit_level: 'full', immutable_log: true, digital_signature: true }, 0],
    [{ digital_signature: true, key: KEY }, 0],
    [{ key: KEY }, 1],
    [{ private_key_file: 'x.pem' }, 1],
    [{ digital_signature: true, key: 'short' }, 1],
    [{ digital_signature: true, key: KEY, private_key_file: 'x.pem' }, 1],
  ];
  it.each(cases)('%o has %d problems', (config, count) => {
    expect(descriptor.validate?.(withDefaults<AuditConfig>(configSchema, config))).toHaveLength(count);
  });
});

describe('opening', () => {
  it('cuts a line that a crash left incomplete, and says so in the chain', async () => {
    await using f = await folder();
    await writeSome(f.path, {}, 1, 4);
    appendFileSync(f.path, '{"kind":"wri');
    expect(await verifyAuditLog(f.path)).toMatchObject({ ok: true, records: 5, incompleteLine: true });
    await writeSome(f.path, {}, 5, 6);
    expect(records(f.path)[5]).toMatchObject({ kind: 'open', cut_bytes: 12 });
    expect(await verifyAuditLog(f.path)).toMatchObject({ ok: true, records: 8, incompleteLine: false });
  });

  it('begins anew where a crash left nothing but a torn first line', async () => {
    await using f = await folder();
    mkdirSync(join(f.dir, 'audit'));
    writeFileSync(f.path, '{"cut_by');
    await writeSome(f.path, {}, 1, 2);
    expect(records(f.path)[0]).toMatchObject({ seq: 1, kind: 'open', cut_bytes: 8 });
    expect(await verifyAuditLog(f.path)).toMatchObject({ ok: true });
  });

  it('goes on where a crash came before the first head', async () => {
    await using f = await folder();
    await writeSome(f.path, {}, 1, 2);
    truncateSync(f.path, readFileSync(f.path, 'utf8').indexOf('\n') + 1);
    rmSync(`${f.path}.head`);
    expect(await verifyAuditLog(f.path)).toMatchObject({ ok: true, records: 1 });
    await writeSome(f.path, {}, 1, 2);
    expect(await verifyAuditLog(f.path)).toMatchObject({ ok: true, records: 4 });
  });

  it('finds the end of a log with lines longer than what it reads at once', async () => {
    await using f = await folder();
    const trail = await trailAt(f.path);
    await trail.aroundWrite('bus', batchOf(Array.from({ length: 2000 }, (_, n) => change(n))), async () => STORED);
    await trail.close();
    await writeSome(f.path, {}, 1, 4);
    expect(await verifyAuditLog(f.path)).toMatchObject({ ok: true, records: 8 });
  });

  it('happens with the first write, so that a process which stands by touches nothing', async () => {
    await using f = await folder();
    const trail = await trailAt(f.path);
    await trail.close();
    expect(readdirSync(f.dir)).toEqual([]);
  });

  it('refuses a second plugin on the same log', async () => {
    await using f = await folder();
    const [a, b] = [await trailAt(f.path), await trailAt(f.path)];
    await a.aroundWrite('bus', batchOf([change(1)]), async () => STORED);
    await expect(b.aroundWrite('bus', batchOf([change(1)]), async () => STORED)).rejects.toMatchObject({ code: 'CONFIG_INVALID_VALUE' });
    await b.close();
    await a.close();
    await writeSome(f.path, {}, 1, 2);
    expect(await verifyAuditLog(f.path)).toMatchObject({ ok: true });
  });
});

describe('a log that was changed', () => {
  const changes: [string, (path: string) => void][] = [
    ['cut', (path) => truncateSync(path, readFileSync(path, 'utf8').trimEnd().lastIndexOf('\n') + 1)],
    ['emptied', (path) => truncateSync(path, 0)],
    ['removed', (path) => rmSync(path)],
    [
      'changed in its last record',
      (path) => writeFileSync(path, readFileSync(path, 'utf8').replace(/"count":2(?=[^\n]*\n$)/, '"count":3')),
    ],
    ['without its head', (path) => rmSync(`${path}.head`)],
    ['with a damaged head', (path) => writeFileSync(`${path}.head`, 'x')],
    ['with a head of another chain', (path) => writeFileSync(`${path}.head`, `5 ${'a'.repeat(64)}\n`)],
  ];
  it.each(changes)('(%s) stops the pipeline before anything is written', async (_title, change_) => {
    await using f = await folder();
    await writeSome(f.path, {}, 1, 4);
    change_(f.path);
    const content = (): string | null => (existsSync(f.path) ? readFileSync(f.path, 'utf8') : null);
    const before = content(),
      trail = await trailAt(f.path);
    const next = vi.fn(async () => STORED);
    await expect(trail.aroundWrite('bus', batchOf([change(9)]), next)).rejects.toMatchObject({
      code: 'AUDIT_CHAIN_BROKEN',
      retriable: false,
    });
    await trail.close();
    expect(next).not.toHaveBeenCalled();
    expect(content()).toBe(before);
  });

  it.each(changes)('(%s) is kept aside when the log need not be immutable', async (_title, change_) => {
    await using f = await folder();
    await writeSome(f.path, {}, 1, 4);
    change_(f.path);
    await writeSome(f.path, { immutable_log: false }, 9, 10);
    expect(await verifyAuditLog(f.path)).toMatchObject({ ok: true, records: 3 });
    expect(readdirSync(join(f.dir, 'audit')).some((name) => name.includes('.broken-'))).toBe(true);
  });

  const live: [string, (path: string) => void][] = [
    ['cut', (path) => truncateSync(path, 10)],
    ['continued by somebody else', (path) => appendFileSync(path, 'x\n')],
    ['removed', (path) => rmSync(path)],
  ];
  it.each(live)('(%s) while the pipeline runs stops it at the next write', async (_title, change_) => {
    await using f = await folder();
    const trail = await trailAt(f.path);
    await trail.aroundWrite('bus', batchOf([change(1)]), async () => STORED);
    change_(f.path);
    await expect(trail.aroundWrite('bus', batchOf([change(2)]), async () => STORED)).rejects.toMatchObject({ code: 'AUDIT_CHAIN_BROKEN' });
    await trail.close();
  });
});

describe('faults', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('of the disk keep the write from being made, and are retriable when it is full', async () => {
    await using f = await folder();
    const trail = await trailAt(f.path);
    await trail.aroundWrite('bus', batchOf([change(1)]), async () => STORED);
    const spy = await failing('appendFile', 'ENOSPC');
    const next = vi.fn(async () => STORED);
    await expect(trail.aroundWrite('bus', batchOf([change(2)]), next)).rejects.toMatchObject({ code: 'PLUGIN_FAILED', retriable: true });
    expect(next).not.toHaveBeenCalled();
    spy.mockRestore();
    await trail.aroundWrite('bus', batchOf([change(2)]), async () => STORED);
    await trail.close();
    expect(await verifyAuditLog(f.path)).toMatchObject({ ok: true, records: 5 });
  });

  it('after the write do not make it look failed', async () => {
    await using f = await folder();
    const errors: string[] = [];
    const trail = await trailAt(
      f.path,
      {},
      {
        ...silentLogger,
        error: (message) => {
          errors.push(message);
        },
      },
    );
    const result = await trail.aroundWrite('bus', batchOf([change(1)]), async () => {
      await failing('appendFile', 'ENOSPC');
      return STORED;
    });
    vi.restoreAllMocks();
    await trail.close();
    expect([result, errors.length]).toEqual([STORED, 1]);
    expect(await verifyAuditLog(f.path)).toMatchObject({ ok: true, records: 2, unconfirmedWrites: 1 });
  });

  it('of the path are said', async () => {
    await using f = await folder();
    writeFileSync(join(f.dir, 'audit'), '');
    chmodSync(join(f.dir, 'audit'), 0o600);
    await expect(writeSome(f.path, {}, 1, 2)).rejects.toMatchObject({
      code: 'PLUGIN_FAILED',
      retriable: false,
      message: expect.stringContaining(f.path),
    });
  });
});

describe('kill -9 in the middle of writes', () => {
  it('leaves a chain that is whole, with every write that was begun, and that can go on', async () => {
    await using f = await folder();
    for (const writes of [1, 8, 25]) {
      const begun = await killedAfter(f.path, writes);
      expect(await verifyAuditLog(f.path)).toMatchObject({ ok: true, signatures: 'unchecked' });
      const known = new Set(
        records(f.path)
          .filter((r) => r['kind'] === 'write')
          .flatMap((r) => (r['events'] as { id: string }[]).map((e) => e.id)),
      );
      expect(begun.filter((id) => !known.has(id))).toEqual([]);
    }
    await writeSome(f.path, { digital_signature: true, key: KEY }, 1, 2);
    expect(await verifyAuditLog(f.path, { hmacKey: KEY })).toMatchObject({ ok: true });
  });
});

/** Runs `kill-child.ts` and kills it after so many writes. Returns the ids of the events whose write was begun. */
async function killedAfter(path: string, writes: number): Promise<readonly string[]> {
  const script = join(import.meta.dirname, 'kill-child.ts');
  const { lines, err } = await linesUntilKilled(script, [path, KEY], writes, { timeoutMs: 15_000 });
  if (lines.length < writes) throw new Error(`the child wrote ${lines.length} lines: ${err}`);
  return lines;
}

async function failing(method: 'appendFile' | 'datasync', code: string) {
  const handle = await open(import.meta.filename, 'r');
  const prototype = Object.getPrototypeOf(handle) as Record<typeof method, FileHandle['datasync']>;
  await handle.close();
  return vi.spyOn(prototype, method).mockRejectedValue(Object.assign(new Error(`${code}: it failed`), { code }));
}
