// The tampering matrix: what a change of the log is found by, for each kind of signature. Also what is not found.

import { createHash } from 'node:crypto';
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { canonical } from '../../../../plugins/middleware/audit-trail/canonical.ts';
import type { AuditConfig } from '../../../../plugins/middleware/audit-trail/config.ts';
import { type VerifyOptions, verifyAuditLog } from '../../../../plugins/middleware/audit-trail/verify.ts';
import { folder, writeSome } from './helpers.ts';

const KEY = 'a key of enough characters';
const SIGNED: [string, Partial<AuditConfig>, (path: string) => VerifyOptions][] = [
  ['unsigned', {}, () => ({})],
  ['HMAC', { digital_signature: true, key: KEY }, () => ({ hmacKey: KEY })],
  ['Ed25519', { digital_signature: true }, (path) => ({ publicKey: readFileSync(`${path}.pub.pem`, 'utf8') })],
];

/** Lines of a log with 9 records → lines after the change. */
type Tampering = (lines: string[]) => string[];
const TAMPERINGS: [string, Tampering, number, RegExp][] = [
  ['a changed value', edit(3, (line) => line.replace('"count":2', '"count":3')), 4, /does not match its hash/],
  ['a changed event id', edit(1, (line) => line.replace('0000000000000001', '0000000000000007')), 2, /does not match its hash/],
  ['a changed time', edit(0, (line) => line.replace('1700000000000', '1600000000000')), 1, /does not match its hash/],
  ['a changed signature or hash', edit(4, (line) => line.replace(/"hash":"./, '"hash":"x')), 5, /does not match its hash/],
  ['an added key', edit(3, (line) => `${line.slice(0, -1)},"x":1}`), 4, /does not match its hash/],
  ['a key that stands twice', edit(3, (line) => line.replace('{', '{"count":99,')), 4, /not written the way/],
  ['added spaces', edit(3, (line) => line.replace('{', '{ ')), 4, /not written the way/],
  ['a removed record', (lines) => lines.toSpliced(3, 1), 4, /record 5 stands where 4 belongs/],
  ['a removed first record', (lines) => lines.slice(1), 1, /record 2 stands where 1 belongs/],
  ['two records swapped', (lines) => lines.with(3, lines[4] as string).with(4, lines[3] as string), 4, /record 5 stands where 4 belongs/],
  ['a record put in twice', (lines) => lines.toSpliced(3, 0, lines[2] as string), 4, /record 3 stands where 4 belongs/],
  [
    'a foreign record put in',
    (lines) => lines.toSpliced(3, 0, reseal({ ...(JSON.parse(lines[2] as string) as object), seq: 4, count: 7 })),
    4,
    /does not follow/,
  ],
  ['an empty line', (lines) => lines.toSpliced(3, 0, ''), 4, /not JSON/],
  ['a line that is no record', (lines) => lines.with(3, '{}'), 4, /not a record/],
  ['a line that is null', (lines) => lines.with(3, 'null'), 4, /not a record/],
  ['a removed tail', (lines) => lines.slice(0, 5), 6, /the last 4 records are missing/],
  ['a removed last record', (lines) => lines.slice(0, 8), 9, /the last 1 records are missing/],
  ['nothing left', () => [], 1, /the last 9 records are missing/],
];

function edit(index: number, change: (line: string) => string): Tampering {
  return (lines) => {
    const changed = change(lines[index] as string);
    if (changed === lines[index]) throw new Error('the tampering changes nothing');
    return lines.with(index, changed);
  };
}

/** What somebody without the key can do: change the content and compute the hash again, keeping the signature. */
function reseal(record: object): string {
  const { hash: _old, sig, ...content } = record as { hash: string; sig?: string };
  const hash = createHash('sha256')
    .update(canonical(content as never))
    .digest('hex');
  return canonical({ ...content, hash, ...(sig === undefined ? {} : { sig }) } as never);
}

/** The whole chain from `from` on, resealed: each record follows from the one before again. */
function rechain(lines: readonly string[], from: number, change: (record: object) => object): string[] {
  const result = [...lines];
  for (let i = from; i < lines.length; i++) {
    const record = JSON.parse(lines[i] as string) as { prev: string };
    const prev = i === 0 ? record.prev : (JSON.parse(result[i - 1] as string) as { hash: string }).hash;
    result[i] = reseal({ ...(i === from ? change(record) : record), prev });
  }
  return result;
}

describe.each(SIGNED)('%s', (kind, config, keys) => {
  it('is whole as it was written', async () => {
    await using f = await written(config);
    expect(await verifyAuditLog(f.path, keys(f.path))).toMatchObject({
      ok: true,
      records: 9,
      signatures: kind === 'unsigned' ? 'none' : 'checked',
    });
  });

  it.each(TAMPERINGS)('%s is found', async (_title, tamper, line, reason) => {
    await using f = await written(config);
    f.write(tamper(f.lines));
    expect(await verifyAuditLog(f.path, keys(f.path))).toMatchObject({
      ok: false,
      records: line - 1,
      brokenAt: { line, reason: expect.stringMatching(reason) },
    });
  });

  it('a changed value with its hash recomputed is found by its signature, and without by the record after it', async () => {
    await using f = await written(config);
    f.write(edit(3, (line) => reseal({ ...(JSON.parse(line) as object), count: 3 }))(f.lines));
    expect(await verifyAuditLog(f.path, keys(f.path))).toMatchObject({
      ok: false,
      brokenAt:
        kind === 'unsigned'
          ? { line: 5, reason: 'it does not follow from the record before it' }
          : { line: 4, reason: 'its signature is wrong' },
    });
  });

  it('a rewritten chain is found by its signatures, and without them by the head', async () => {
    await using f = await written(config);
    f.write(rechain(f.lines, 3, (record) => ({ ...record, count: 3 })));
    expect(await verifyAuditLog(f.path, keys(f.path))).toMatchObject({
      ok: false,
      brokenAt:
        kind === 'unsigned'
          ? { line: 9, reason: 'it is another record than the head file names' }
          : { line: 4, reason: 'its signature is wrong' },
    });
  });

  it('a changed head is found', async () => {
    await using f = await written(config);
    const head = readFileSync(`${f.path}.head`, 'utf8');
    writeFileSync(
      `${f.path}.head`,
      head.replace(/^9 (.)/, (_match, digit: string) => `9 ${digit === '0' ? '1' : '0'}`),
    );
    expect(await verifyAuditLog(f.path, keys(f.path))).toMatchObject({ ok: false });
    writeFileSync(`${f.path}.head`, 'damaged');
    expect(await verifyAuditLog(f.path, keys(f.path))).toMatchObject({
      ok: false,
      brokenAt: { reason: expect.stringMatching(/damaged head/) },
    });
    rmSync(`${f.path}.head`);
    expect(await verifyAuditLog(f.path, keys(f.path))).toMatchObject({
      ok: false,
      brokenAt: { line: 10, reason: expect.stringMatching(/head file .* is missing/) },
    });
  });

  it('a removed tail with a head made to fit is found by the signature only', async () => {
    await using f = await written(config);
    f.write(f.lines.slice(0, 5));
    const last = JSON.parse(f.lines[4] as string) as { hash: string };
    writeFileSync(`${f.path}.head`, `5 ${last.hash}\n`);
    expect((await verifyAuditLog(f.path, keys(f.path))).ok).toBe(kind === 'unsigned');
  });

  it('a removed tail with an older head put back is not found', async () => {
    await using f = await written(config, 1, 4);
    copyFileSync(`${f.path}.head`, `${f.path}.head.old`);
    await writeSome(f.path, config, 5, 6);
    f.write(f.lines);
    copyFileSync(`${f.path}.head.old`, `${f.path}.head`);
    expect(await verifyAuditLog(f.path, keys(f.path))).toMatchObject({ ok: true, records: 5 });
  });
});

describe('an unsigned log', () => {
  it('that was rewritten together with its head is not found: only a signature helps', async () => {
    await using f = await written({});
    const forged = rechain(f.lines, 3, (record) => ({ ...record, count: 3 }));
    f.write(forged);
    writeFileSync(`${f.path}.head`, `9 ${(JSON.parse(forged.at(-1) as string) as { hash: string }).hash}\n`);
    expect(await verifyAuditLog(f.path)).toMatchObject({ ok: true });
  });

  it('does not pass for a signed one', async () => {
    await using f = await written({});
    expect(await verifyAuditLog(f.path, { hmacKey: KEY })).toMatchObject({ ok: false, brokenAt: { line: 1 } });
  });
});

describe('files that cannot be checked', () => {
  it('are errors', async () => {
    await using f = await folder();
    await expect(verifyAuditLog(f.path)).rejects.toMatchObject({ code: 'CONFIG_FILE_UNREADABLE' });
    await expect(verifyAuditLog(f.dir)).rejects.toMatchObject({ code: 'CONFIG_FILE_UNREADABLE' });
    await expect(verifyAuditLog(f.path, { publicKey: 'no key' })).rejects.toMatchObject({ code: 'CONFIG_FILE_UNREADABLE' });
  });
});

async function written(config: Partial<AuditConfig>, from = 1, to = 8) {
  const f = await folder();
  await writeSome(f.path, config, from, to);
  const lines = readFileSync(f.path, 'utf8').split('\n').slice(0, -1);
  return {
    ...f,
    lines,
    write: (changed: readonly string[]) => {
      writeFileSync(f.path, changed.map((line) => `${line}\n`).join(''));
    },
  };
}
