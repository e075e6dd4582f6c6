// For how long a server keeps what is still needed of its log.

import { describe, expect, it } from 'vitest';
import { retentionOf } from '../../../../src/sources/mysql/lag.ts';
import { LogAges } from '../../../../src/sources/mysql/log-ages.ts';
import { placeAfter } from '../../../../src/sources/mysql/position.ts';

const FILES = [3, 4, 5].map((n) => ({ name: `binlog.00000${n}`, size: 1000 })),
  NOW = 1_700_000_000,
  HOUR = 3600;
const at = (file: number) => placeAfter(1, { base: 'binlog', number: file }, 4, null);

describe('what is needed of the log', () => {
  it.each([
    ['is in the file that is being written', at(5), HOUR, {}, HOUR],
    ['is in a file that was closed ten minutes ago', at(4), HOUR, { 4: NOW - 600 }, HOUR - 600],
    ['is in a file that may go with the next one', at(3), HOUR, { 3: NOW - 2 * HOUR }, 0],
    ['is in a file of which nothing was read', at(4), HOUR, {}, null],
    ['is kept until somebody purges it', at(4), null, { 4: NOW - 600 }, null],
    ['is nothing that is known', null, HOUR, { 4: NOW }, null],
  ])('%s', (_, needed, keptSeconds, written: Readonly<Record<number, number>>, seconds) => {
    const writtenUntil = (file: number): number | null => written[file] ?? null,
      found = retentionOf({ files: FILES, needed, endFile: 5, keptSeconds, nowSeconds: NOW, writtenUntil });
    expect(found).toMatchObject({ lossInMs: seconds === null ? null : seconds * 1000, status: null, retainedBytes: 3000 });
  });

  it('is gone', () => {
    const found = retentionOf({ files: FILES, needed: at(2), endFile: 5, keptSeconds: HOUR, nowSeconds: NOW, writtenUntil: () => NOW });
    expect(found).toMatchObject({ lossInMs: 0, status: 'lost' });
  });
});

describe('the age of a file', () => {
  it('counts from its newest event, and from the beginning of the next file once there is one', () => {
    const ages = new LogAges();
    // Before the server has said which file it sends.
    ages.see(0, 0);
    expect(ages.writtenUntil(0)).toBeNull();
    for (const seconds of [100, 140, 130, 0]) ages.see(1, seconds);
    expect([ages.writtenUntil(1), ages.writtenUntil(2)]).toEqual([140, null]);
    // Made up for the connection: without a time.
    ages.see(2, 0);
    ages.see(2, 200);
    expect([ages.writtenUntil(1), ages.writtenUntil(2)]).toEqual([200, 200]);
    // Files in between were purged: nothing says when the one before them was closed.
    ages.see(9, 900);
    expect([ages.writtenUntil(2), ages.writtenUntil(9)]).toEqual([200, 900]);
  });

  it('is forgotten of files that are long past', () => {
    const ages = new LogAges();
    for (let file = 1; file <= 500; file++) ages.see(file, file * 10);
    expect([ages.writtenUntil(1), ages.writtenUntil(499)]).toEqual([null, 5000]);
  });
});
