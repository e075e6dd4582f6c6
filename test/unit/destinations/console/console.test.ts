// The console destination over a stream that stands for standard output.

import { Writable } from 'node:stream';
import pc from 'picocolors';
import { describe, expect, it } from 'vitest';
import { formatEvent, formatValue } from '../../../../src/destinations/console/pretty.ts';
import { ConsoleDestination, type Output } from '../../../../src/destinations/console/writer.ts';
import type { ChangeEventInit, Value } from '../../../../src/sdk/index.ts';
import { laneBatch, rowEvent } from '../lane-batch.ts';

const noAbort = new AbortController().signal;
const plain = pc.createColors(false);

function output(isTTY: boolean, take: (chunk: Buffer, done: (error?: Error) => void) => void): Output {
  return Object.assign(new Writable({ write: (chunk: Buffer, _encoding, done) => take(chunk, done) }), { isTTY });
}

function collected(isTTY: boolean): { out: Output; text: () => string } {
  const chunks: Buffer[] = [];
  return {
    out: output(isTTY, (chunk, done) => {
      chunks.push(chunk);
      done();
    }),
    text: () => Buffer.concat(chunks).toString(),
  };
}

describe('the console destination', () => {
  it('writes one JSON line per record with a value, without what is skipped', async () => {
    const { out, text } = collected(false);
    const destination = new ConsoleDestination({ format: 'auto' }, 'out', out);
    const events = [rowEvent(1), rowEvent(2), rowEvent(3, { op: 'd', before: { id: 3 }, after: null })];
    expect(await destination.write(laneBatch(events, { skip: [1] }), noAbort)).toEqual({ kind: 'stored' });
    expect(text()).toBe('{"op":"c","id":1,"note":"row 1"}\n{"op":"d","id":3}\n');
  });

  it('writes readable lines on a terminal', async () => {
    const { out, text } = collected(true);
    await new ConsoleDestination({ format: 'auto' }, 'out', out).write(laneBatch([rowEvent(1), rowEvent(2)], {}), noAbort);
    expect(text().split('\n')).toHaveLength(3);
    expect(text()).toContain('shop.orders');
  });

  it('escapes controls in JSON on a terminal without changing what it says', async () => {
    const { out, text } = collected(true);
    await new ConsoleDestination({ format: 'json' }, 'out', out).write(
      laneBatch([rowEvent(1, { after: { id: 1, note: 'a\u009b2Jb' } })], {}),
      noAbort,
    );
    expect(text()).not.toContain('\u009b');
    expect(JSON.parse(text())).toEqual({ op: 'c', id: 1, note: 'a\u009b2Jb' });
  });

  it('is done only when the reader has taken the batch', async () => {
    let take = (): void => {};
    const out = output(false, (_chunk, done) => {
      take = done;
    });
    let done = false;
    const write = new ConsoleDestination({ format: 'json' }, 'out', out).write(laneBatch([rowEvent(1)], {}), noAbort).then(() => {
      done = true;
    });
    await new Promise(setImmediate);
    expect(done).toBe(false);
    take();
    await write;
    expect(done).toBe(true);
  });

  it('reports a closed pipe as an error that does not go away, and keeps the process alive', async () => {
    const out = output(false, (_chunk, done) => done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })));
    const destination = new ConsoleDestination({ format: 'json' }, 'out', out);
    const closed = { code: 'DESTINATION_FAILED', retriable: false, message: 'The program that read our standard output has closed it.' };
    await expect(destination.write(laneBatch([rowEvent(1)], {}), noAbort)).rejects.toMatchObject(closed);
    await expect(destination.write(laneBatch([rowEvent(2)], {}), noAbort)).rejects.toMatchObject(closed);
  });

  it('gives up waiting for a stuck reader when aborted', async () => {
    const abort = new AbortController();
    const write = new ConsoleDestination(
      { format: 'json' },
      'out',
      output(false, () => {}),
    ).write(laneBatch([rowEvent(1)], {}), abort.signal);
    abort.abort();
    await expect(write).rejects.toMatchObject({ code: 'DESTINATION_FAILED', retriable: true });
  });
});

describe('formatEvent', () => {
  const cases: [string, Partial<ChangeEventInit>, string][] = [
    ['create', {}, '22:13:20.007 create   shop.orders id=7 note: "row 7"'],
    [
      'update with a before image',
      { op: 'u', before: { id: 7, note: 'old' } },
      '22:13:20.007 update   shop.orders id=7 note: "old" → "row 7"',
    ],
    ['update without one', { op: 'u' }, '22:13:20.007 update   shop.orders id=7 note: "row 7"'],
    ['update of the key', { op: 'u', before: { id: 6, note: 'row 7' } }, '22:13:20.007 update   shop.orders id=7 id: 6 → 7'],
    ['delete with the key alone', { op: 'd', before: { id: 7 }, after: null }, '22:13:20.007 delete   shop.orders id=7'],
    ['truncate', { op: 't', after: null }, '22:13:20.007 truncate shop.orders'],
    [
      'message',
      { op: 'm', after: null, message: { prefix: 'app', content: Buffer.from('hi'), transactional: true } },
      '22:13:20.007 message  shop.orders app: "hi"',
    ],
    [
      'schema change',
      { op: 's', after: null, schemaChange: { kind: 'alter', previous: null, ddl: 'alter table\norders' } },
      '22:13:20.007 schema   shop.orders alter table\\u000aorders',
    ],
    [
      'hostile text',
      { after: { id: 7, 'n\u001bo': '\u001b[2J\u202e' } },
      '22:13:20.007 create   shop.orders id=7 n\\u001bo: "\\u001b[2J\\u202e"',
    ],
  ];
  it.each(cases)('shows a %s', (_title, changes, line) => {
    expect(formatEvent(rowEvent(7, changes), plain)).toBe(line);
  });
});

describe('formatValue', () => {
  const cases: [Value, string][] = [
    [null, 'null'],
    [true, 'true'],
    [-0, '-0'],
    [Number.NaN, 'NaN'],
    [2n ** 64n, '18446744073709551616'],
    ['12.30', '"12.30"'],
    [new Uint8Array([0, 255]), '0x00ff'],
    [{ a: [1n, new Uint8Array([1])] }, '{"a":["1","0x01"]}'],
    ['x'.repeat(100), `"${'x'.repeat(58)}…`],
    [`${'x'.repeat(57)}😀😀`, `"${'x'.repeat(57)}…`],
  ];
  it.each(cases)('shows %o as %s', (value, text) => {
    expect(formatValue(value)).toBe(text);
  });
});
