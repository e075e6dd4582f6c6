// A file source that runs on: growth, rotation, truncation, removal, restarts in between.

import { appendFile, copyFile, link, mkdir, rename, rm, stat, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toFileError } from '../../../../src/sources/file/errors.ts';
import { Engine, type TempFolder, tempFolder } from './harness.ts';

const line = (id: number): string => `{"id":${id}}\n`;
const lines = (from: number, to: number): string => Array.from({ length: to - from + 1 }, (_, i) => line(from + i)).join('');
const ids = (engine: Engine): unknown[] => engine.events.map((e) => e.after?.['id']);
const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);

describe('a file that grows', () => {
  it('is read line by line, partial lines when they are complete', async () => {
    await using folder = await tempFolder();
    const path = folder.at('a.ndjson');
    const engine = new Engine({ path });
    await engine.follow(
      () => {
        expect(engine.events).toEqual([]);
        return writeFile(path, line(1));
      },
      () => {
        expect(ids(engine)).toEqual([1]);
        return appendFile(path, '{"id"');
      },
      () => {
        expect(ids(engine)).toEqual([1]);
        return appendFile(path, ':2}\n{"id":3}\r');
      },
      () => {
        expect(ids(engine)).toEqual([1, 2]);
        return appendFile(path, '\n');
      },
      () => appendFile(path, Buffer.from('{"id":4,"t":"ü').subarray(0, -1)),
      () => appendFile(path, Buffer.concat([Buffer.from('ü').subarray(1), Buffer.from('"}\n')])),
    );
    expect(engine.rows).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }, { id: 4, t: 'ü' }]);
    expect([engine.rejected, engine.warnings]).toEqual([[], []]);
  });

  it('with a line that is too long goes on behind it, when its end comes', async () => {
    await using folder = await tempFolder();
    const path = folder.at('a.ndjson');
    const engine = new Engine({ path, max_line_bytes: 1_000 });
    await engine.follow(
      () => writeFile(path, line(1) + 'x'.repeat(400_000)),
      () => appendFile(path, 'x'.repeat(400_000)),
      () => {
        expect(engine.rejected).toEqual([]);
        return appendFile(path, `\n${line(2)}`);
      },
    );
    expect(ids(engine)).toEqual([1, 2]);
    expect(engine.rejected).toHaveLength(1);
  });

  it('as CSV waits for its header and for the ends of quoted fields', async () => {
    await using folder = await tempFolder();
    const path = folder.at('a.csv');
    const engine = new Engine({ path });
    await engine.follow(
      () => writeFile(path, 'id,na'),
      () => appendFile(path, 'me\n1,"a'),
      () => appendFile(path, '\nb"\n2,c'),
      () => appendFile(path, '\n'),
    );
    expect(engine.rows).toEqual([
      { id: '1', name: 'a\nb' },
      { id: '2', name: 'c' },
    ]);
  });

  it('as a JSON array is read as far as it is written', async () => {
    await using folder = await tempFolder();
    const path = folder.at('a.json');
    const engine = new Engine({ path });
    await engine.follow(
      () => writeFile(path, '[{"id":1},{"i'),
      () => {
        expect(ids(engine)).toEqual([1]);
        return appendFile(path, 'd":2}]\n');
      },
    );
    expect(ids(engine)).toEqual([1, 2]);
  });
});

describe('rotation by rename', () => {
  const rotate = async (path: string, to: string): Promise<void> => {
    await rename(path, to);
  };

  it('reads the old file to its end, then the new one', async () => {
    await using folder = await tempFolder();
    const path = folder.at('a.ndjson');
    await writeFile(path, lines(1, 2));
    const engine = new Engine({ path });
    await engine.follow(
      async () => {
        await appendFile(path, line(3));
        await rotate(path, `${path}.1`);
        await writeFile(path, line(5));
        await appendFile(`${path}.1`, '{"id":4}');
      },
      () => appendFile(path, line(6)),
    );
    expect(ids(engine)).toEqual(upTo(6));
    expect(engine.positions.get('a.ndjson')).toMatch(/^00000002:/);
  });

  it('waits for a program that writes to the old file a little longer', async () => {
    await using folder = await tempFolder();
    const path = folder.at('a.ndjson');
    await writeFile(path, line(1));
    const engine = new Engine({ path });
    engine.pauseMs = 1_000;
    await engine.follow(
      async () => {
        await rotate(path, `${path}.1`);
        await writeFile(path, line(4));
      },
      () => appendFile(`${path}.1`, line(2)),
      () => appendFile(`${path}.1`, line(3)),
      () => {},
      () => {},
      () => {},
    );
    expect(ids(engine)).toEqual(upTo(4));
  });

  it('goes on in the old file as long as there is no new one', async () => {
    await using folder = await tempFolder();
    const path = folder.at('a.ndjson');
    await writeFile(path, line(1));
    const engine = new Engine({ path });
    await engine.follow(
      async () => {
        await rotate(path, `${path}.1`);
        await appendFile(`${path}.1`, line(2));
      },
      async () => {
        await writeFile(path, line(3));
      },
    );
    expect(ids(engine)).toEqual(upTo(3));
  });

  it('follows the handle when the old file is removed at once', async () => {
    await using folder = await tempFolder();
    const path = folder.at('a.ndjson');
    await writeFile(path, line(1));
    const engine = new Engine({ path });
    await engine.follow(async () => {
      await appendFile(path, line(2));
      await rm(path);
      await writeFile(path, line(3));
    });
    expect(ids(engine)).toEqual(upTo(3));
  });

  it.each(['a.ndjson.1', 'a.ndjson-20250131', 'a-20250131.ndjson', 'elsewhere.old'])(
    'finds the rest under the name %s after a restart',
    async (name) => {
      await using folder = await tempFolder();
      const path = folder.at('a.ndjson');
      await writeFile(path, lines(1, 2));
      const engine = new Engine({ path });
      await engine.follow();
      await appendFile(path, line(3));
      await rotate(path, folder.at(name));
      await writeFile(path, line(4));
      await engine.follow();
      await engine.follow(() => appendFile(path, line(5)));
      expect(ids(engine)).toEqual(upTo(5));
    },
  );

  it('reads files that came and went while nothing ran', async () => {
    await using folder = await tempFolder();
    const path = folder.at('a.ndjson');
    await writeFile(folder.at('a.ndjson.9'), line(99)); // older than what is read
    await tick();
    await writeFile(path, lines(1, 2));
    const engine = new Engine({ path });
    await engine.once();
    await appendFile(path, line(3));
    await rotate(path, `${path}.1`);
    await tick();
    await writeFile(path, lines(4, 5));
    await rotate(`${path}.1`, `${path}.2`);
    await rotate(path, `${path}.1`);
    await tick();
    await writeFile(path, line(6));
    await engine.once();
    expect(ids(engine)).toEqual(upTo(6));
    expect(engine.positions.get('a.ndjson')).toMatch(/^00000003:/);
  });

  it('tells apart files that were written last at one time, as the clock of a file system stands still for milliseconds', async () => {
    await using folder = await tempFolder();
    const path = folder.at('a.ndjson'),
      at = new Date(1_700_000_000_000);
    const write = async (text: string): Promise<void> => {
      await tick();
      await writeFile(path, text);
      await utimes(path, at, at);
    };
    await write(line(99));
    await rotate(path, `${path}.9`); // older than what is read
    await write(lines(1, 2));
    const engine = new Engine({ path });
    await engine.once();
    await rotate(path, `${path}.1`);
    await write(lines(3, 4));
    await rotate(path, `${path}.2`);
    await write(line(5));
    await rotate(path, `${path}.3`);
    await write(line(6));
    await engine.once();
    expect(ids(engine)).toEqual(upTo(6));
  });

  it('stops when a file was compressed before it was read, or goes on when told to', async () => {
    for (const when_replaced of ['fail', 'start_over'] as const) {
      await using folder = await tempFolder();
      const path = folder.at('a.ndjson');
      await writeFile(path, line(1));
      const engine = new Engine({ path, when_replaced });
      await engine.once();
      await rotate(path, `${path}.2`);
      await tick();
      await writeFile(`${path}.1.gz`, 'compressed');
      await tick();
      await writeFile(path, line(2));
      if (when_replaced === 'fail') await expect(engine.once()).rejects.toMatchObject({ code: 'SOURCE_POSITION_GONE', retriable: false });
      else await engine.once();
      expect(ids(engine)).toEqual(when_replaced === 'fail' ? [1] : [1, 2]);
    }
  });

  it('says that the file is gone when it is found nowhere, or starts over when told to', async () => {
    for (const when_replaced of ['fail', 'start_over'] as const) {
      await using folder = await tempFolder();
      const path = folder.at('a.ndjson');
      const header = `{"h":"${'x'.repeat(300)}"}\n`; // files of one kind begin alike
      await writeFile(path, header + line(1));
      const engine = new Engine({ path, when_replaced });
      await engine.follow();
      await writeFile(folder.at('new'), header + lines(2, 100));
      await rename(folder.at('new'), path);
      if (when_replaced === 'fail') {
        await expect(engine.follow()).rejects.toMatchObject({
          code: 'SOURCE_POSITION_GONE',
          message: expect.stringContaining('was replaced or truncated'),
          fix: expect.stringContaining('start_over'),
        });
        expect(ids(engine)).toEqual([undefined, 1]);
      } else {
        await engine.follow();
        expect(ids(engine)).toEqual([undefined, 1, undefined, ...upTo(100).slice(1)]);
        expect(engine.warnings).toEqual(['the file that was being read is gone; unread records may be lost with it']);
      }
    }
  });

  it('knows a file that was copied back or restored', async () => {
    await using folder = await tempFolder();
    const path = folder.at('a.ndjson');
    await writeFile(path, lines(1, 100));
    const engine = new Engine({ path });
    await engine.follow();
    await copyFile(path, folder.at('copy'));
    await rename(folder.at('copy'), path);
    await appendFile(path, line(101));
    await engine.follow();
    expect(ids(engine)).toEqual(upTo(101));
  });
});

describe('truncation', () => {
  it('starts over as the next generation', async () => {
    await using folder = await tempFolder();
    const path = folder.at('a.ndjson');
    await writeFile(path, lines(1, 3));
    const engine = new Engine({ path });
    await engine.follow(async () => {
      await truncate(path);
      await appendFile(path, line(4));
    });
    expect(ids(engine)).toEqual(upTo(4));
    expect(engine.warnings).toEqual(['the file was truncated or rewritten; it is read again from its beginning']);
    expect(engine.positions.get('a.ndjson')).toMatch(/^00000002:/);
  });

  it('is noticed when the file has outgrown what was read', async () => {
    await using folder = await tempFolder();
    const path = folder.at('a.ndjson');
    await writeFile(path, lines(1, 100));
    const engine = new Engine({ path });
    await engine.follow(async () => {
      await truncate(path);
      await appendFile(path, lines(101, 300));
    });
    expect(ids(engine)).toEqual(upTo(300));
  });

  it('by copytruncate loses nothing that is in the copy, running or not', async () => {
    for (const restart of [false, true]) {
      await using folder = await tempFolder();
      const path = folder.at('a.ndjson');
      await writeFile(path, lines(1, 3));
      const engine = new Engine({ path });
      const rotate = async (): Promise<void> => {
        await appendFile(path, line(4));
        await copyFile(path, `${path}.1`);
        await truncate(path);
        await appendFile(path, line(5));
      };
      if (restart) {
        await engine.follow();
        await rotate();
        await engine.follow();
      } else await engine.follow(rotate);
      expect(ids(engine)).toEqual(upTo(5));
      expect(engine.warnings).toEqual([]);
    }
  });

  it('stops when bytes that were seen but not read are gone', async () => {
    await using folder = await tempFolder();
    const path = folder.at('a.ndjson');
    await writeFile(path, `${line(1)}{"id":2`);
    const engine = new Engine({ path });
    await expect(engine.follow(() => truncate(path))).rejects.toMatchObject({
      code: 'SOURCE_POSITION_GONE',
      message: expect.stringContaining('7 bytes of it were unread'),
    });
  });
});

describe('a pattern', () => {
  it('picks up files as they come, each as a partition', async () => {
    await using folder = await tempFolder();
    await mkdir(folder.at('b/c.ndjson'), { recursive: true }); // a folder is no file
    await writeFile(folder.at('.hidden.ndjson'), line(9));
    await writeFile(folder.at('a.ndjson'), line(1));
    const engine = new Engine({ path: folder.at('**/*.ndjson') });
    await engine.follow(
      () => writeFile(folder.at('b/d.ndjson'), line(2)),
      () => writeFile(folder.at('b/e.ndjson'), ''),
      () => appendFile(folder.at('a.ndjson'), line(3)),
    );
    expect(engine.events.map((e) => [e.partition, e.after?.['id']])).toEqual([
      ['a.ndjson', 1],
      ['b/d.ndjson', 2],
      ['a.ndjson', 3],
    ]);
  });

  it('ends a partition when its file is removed, and begins anew when the name comes back', async () => {
    await using folder = await tempFolder();
    const path = folder.at('a.ndjson');
    await writeFile(path, '{"id":1}'); // the last line has no end: it is complete when the file is gone
    const engine = new Engine({ path: folder.at('*.ndjson') });
    await engine.follow(
      () => rm(path),
      () => {
        expect(engine.ended).toEqual(['a.ndjson']);
        return writeFile(path, line(2));
      },
    );
    expect(ids(engine)).toEqual([1, 2]);
  });

  it('reads a file once that has two names', async () => {
    await using folder = await tempFolder();
    await writeFile(folder.at('a.ndjson'), line(1));
    await symlink(folder.at('a.ndjson'), folder.at('b.ndjson'));
    await link(folder.at('a.ndjson'), folder.at('c.ndjson'));
    for (const run of ['once', 'follow'] as const) {
      const engine = new Engine({ path: folder.at('*.ndjson') });
      await engine[run]();
      expect(engine.events.map((e) => e.partition)).toEqual(['a.ndjson']);
    }
  });

  it('does not read a rotated file again that it matches', async () => {
    for (const restart of ['never', 'follow', 'once'] as const) {
      await using folder = await tempFolder();
      const path = folder.at('a.ndjson');
      await writeFile(path, lines(1, 2));
      const engine = new Engine({ path: folder.at('*.ndjson') });
      const rotate = async (): Promise<void> => {
        await appendFile(path, line(3));
        await rename(path, folder.at('a-20250131.ndjson'));
        await writeFile(path, line(4));
      };
      if (restart === 'never') await engine.follow(rotate);
      else {
        await engine.follow();
        await rotate();
        await engine[restart]();
      }
      await engine.follow(() => appendFile(path, line(5)));
      expect(ids(engine)).toEqual(upTo(5));
    }
  });

  it('that matches nothing reads nothing, also when its folder is missing', async () => {
    await using folder = await tempFolder();
    const engine = new Engine({ path: folder.at('missing/*.ndjson') });
    await engine.once();
    await engine.follow(async () => {
      await mkdir(folder.at('missing'));
      await writeFile(folder.at('missing/a.ndjson'), line(1));
    });
    expect(ids(engine)).toEqual([1]);
  });
});

describe('what cannot be read', () => {
  const cases: [string, (folder: TempFolder) => Promise<string>, string][] = [
    ['a missing file', async (folder) => folder.at('a.ndjson'), 'SOURCE_MISCONFIGURED'],
    ['a folder', async (folder) => folder.path, 'SOURCE_MISCONFIGURED'],
    ['a device', async () => '/dev/null', 'SOURCE_MISCONFIGURED'],
  ];
  it.each(cases)('%s stops a one_time run', async (_title, prepare, code) => {
    await using folder = await tempFolder();
    await expect(new Engine({ path: await prepare(folder), format: 'ndjson' }).once()).rejects.toMatchObject({
      code,
      retriable: false,
      fix: expect.any(String),
    });
  });

  it.each([
    ['EACCES', 'SOURCE_FORBIDDEN', false],
    ['ENOENT', 'SOURCE_MISCONFIGURED', false],
    ['EMFILE', 'SOURCE_FAILED', true],
    ['EIO', 'SOURCE_FAILED', true],
    ['EINVAL', 'SOURCE_FAILED', false],
  ])('%s becomes %s', (code, expected, retriable) => {
    const error = toFileError(Object.assign(new Error(code), { code }), 'a.ndjson', 'source "files"');
    expect(error).toMatchObject({ code: expected, retriable, where: 'source "files"', fix: expect.any(String) });
  });
});

describe('any history of a followed file', () => {
  it.each(['rename', 'copytruncate'] as const)('is delivered whole and in order, through crashes and rotations by %s', async (style) => {
    type Action = 'append' | 'partial' | 'rotate' | 'restart' | 'once' | 'crash';
    const actions = fc.array(fc.constantFrom<Action>('append', 'append', 'partial', 'rotate', 'rotate', 'restart', 'once', 'crash'), {
      maxLength: 14,
    });
    await fc.assert(
      fc.asyncProperty(
        actions,
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 4 }),
        async (history, maxBatchEvents, crashAfter) => {
          await using folder = await tempFolder();
          const path = folder.at('a.ndjson');
          let last = 0,
            rest = '',
            rotations = 0,
            pending: (() => Promise<void>)[] = [];
          const add = async (): Promise<void> => {
            await appendFile(path, `${rest}${lines(last + 1, last + 3)}`);
            last += 3;
            rest = '';
          };
          const complete = async (): Promise<void> => {
            await appendFile(path, rest);
            rest = '';
          };
          const partial = async (): Promise<void> => {
            await complete();
            await appendFile(path, '{"id":');
            rest = `${++last}}\n`;
          };
          const rotate = async (): Promise<void> => {
            await complete();
            await tick();
            if (style === 'rename') await rename(path, `${path}.${++rotations}`);
            else {
              await copyFile(path, `${path}.${++rotations}`);
              await truncate(path);
            }
            await tick();
            await add();
          };
          await add();
          const engine = new Engine({ path }, { maxBatchEvents, maxBatchBytes: 1 << 20 });
          await engine.once();
          for (const action of history) {
            if (action === 'append') pending.push(add);
            else if (action === 'partial') pending.push(partial);
            else if (action === 'rotate') pending.push(rotate);
            else {
              if (action === 'crash') await engine.followFor(crashAfter, pending);
              else await engine.follow(...pending.splice(0));
              for (const change of pending) await change(); // while nothing runs
              pending = [];
              if (action === 'once') {
                await complete();
                await engine.once();
              }
            }
          }
          await engine.follow(...pending, complete);
          expect(ids(engine)).toEqual(upTo(last));
          expect(engine.rejected).toEqual([]);
        },
      ),
      { numRuns: 20 },
    );
  });
});

/** Lets the file system's clock move on: what is written after is newer. */
async function tick(): Promise<void> {
  await using folder = await tempFolder();
  await writeFile(folder.at('a'), '');
  const { mtimeNs } = await stat(folder.at('a'), { bigint: true });
  for (let now = mtimeNs; now === mtimeNs; ) {
    await writeFile(folder.at('b'), '');
    now = (await stat(folder.at('b'), { bigint: true })).mtimeNs;
    await rm(folder.at('b'));
  }
}
