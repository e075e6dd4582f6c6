// What the file source makes of the bytes: formats, encodings, malformed records, resuming.

import { rename, writeFile } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { forgetfulStore, type Position, silentLogger } from '../../../../src/sdk/index.ts';
import { type FileSourceConfig, validate } from '../../../../src/sources/file/config.ts';
import { descriptor } from '../../../../src/sources/file/index.ts';
import { parsePlace } from '../../../../src/sources/file/position.ts';
import { defaults, Engine, tempFolder } from './harness.ts';

async function readOnce(name: string, content: string | Buffer, config: Partial<FileSourceConfig> = {}): Promise<Engine> {
  await using folder = await tempFolder();
  await writeFile(folder.at(name), content);
  const engine = new Engine({ ...config, path: folder.at(name) });
  await engine.once();
  expect(await rereads(engine)).toBe(0);
  return engine;
}

/** How many events a second run over the same file would give. */
async function rereads(engine: Engine): Promise<number> {
  const before = engine.events.length;
  await engine.once();
  return engine.events.length - before;
}

describe('NDJSON', () => {
  it('reads an object per line as a create with the configured key', async () => {
    const { events } = await readOnce('orders.ndjson', '{"id":1,"name":"ü"}\n{"id":2,"tags":["a",null]}\n', { key: ['id'] });
    expect(events.map((e) => [e.op, e.table.id.table, e.partition, e.key, e.after])).toEqual([
      ['c', 'orders', 'orders.ndjson', { id: 1 }, { id: 1, name: 'ü' }],
      ['c', 'orders', 'orders.ndjson', { id: 2 }, { id: 2, tags: ['a', null] }],
    ]);
    expect(events[0]?.table.columns).toEqual([]);
  });

  it.each([
    ['a byte order mark', '\ufeff{"id":1}\n', [{ id: 1 }]],
    ['CRLF', '{"id":1}\r\n{"id":2}\r\n', [{ id: 1 }, { id: 2 }]],
    ['empty lines', '\n\n{"id":1}\n \t\n\r\n{"id":2}\n\n', [{ id: 1 }, { id: 2 }]],
    ['no line end at the end', '{"id":1}\n{"id":2}', [{ id: 1 }, { id: 2 }]],
    ['nothing', '', []],
    ['only a byte order mark', '\ufeff', []],
    ['only line ends', '\n\n', []],
    ['integers beyond 2^53', '{"id":9007199254740993}\n', [{ id: 9007199254740993n }]],
    ['an envelope, which is data here', '{"op":"u","before":null,"after":{"id":1}}\n', [{ op: 'u', before: null, after: { id: 1 } }]],
    ['a column called __proto__', '{"__proto__":1}\n', [JSON.parse('{"__proto__":1}')]],
  ])('takes %s', async (_title, content, rows) => {
    const engine = await readOnce('a.jsonl', content);
    expect(engine.rows).toEqual(rows);
    expect(engine.rejected).toEqual([]);
  });

  it('rejects malformed lines by number, and goes on', async () => {
    const content = Buffer.concat([
      Buffer.from('{"id":1}\n\n{broken\n[1]\n7\nnull\n{"name":"x"}\n{"id":null}\n'),
      Buffer.from('{"id":"\xff"}\n', 'latin1'),
      Buffer.from('{"id":"a\0"}\n{"id":2}\n{"id":'),
    ]);
    const engine = await readOnce('a.ndjson', content, { key: ['id'] });
    expect(engine.rows).toEqual([{ id: 1 }, { id: 2 }]);
    expect(engine.rejected.map((r) => [r.at, r.input])).toEqual([
      ['line 3 of a.ndjson', '{broken'],
      ['line 4 of a.ndjson', '[1]'],
      ['line 5 of a.ndjson', '7'],
      ['line 6 of a.ndjson', 'null'],
      ['line 7 of a.ndjson', '{"name":"x"}'],
      ['line 8 of a.ndjson', '{"id":null}'],
      ['line 9 of a.ndjson', '{"id":"\xff"}'],
      ['line 10 of a.ndjson', '{"id":"a\0"}'],
      ['line 12 of a.ndjson', '{"id":'],
    ]);
    expect(engine.rejected.map((r) => r.error).join('\n')).toMatch(
      /array instead of an object[\s\S]*no value for the key "id"[\s\S]*not valid UTF-8/,
    );
  });

  it('rejects a line that is too long, and goes on behind it', async () => {
    for (const size of [1_500, 900_000]) {
      const long = `{"id":"${'x'.repeat(size)}"}`;
      const engine = await readOnce('a.ndjson', `{"id":1}\n${long}\n{"id":2}\n${long}`, { max_line_bytes: 1_000 });
      expect(engine.rows).toEqual([{ id: 1 }, { id: 2 }]);
      expect(engine.rejected.map((r) => [r.at, r.input, r.error])).toEqual(
        [2, 4].map((n) => [`line ${n} of a.ndjson`, long.slice(0, 1_000), `line ${n} of a.ndjson: is longer than 1000 bytes`]),
      );
    }
  });

  it('reads lines that are longer than one read', async () => {
    const rows = [{ id: 'x'.repeat(300_000) }, { id: 'ü'.repeat(400_000) }, { id: 3 }];
    expect((await readOnce('a.ndjson', rows.map((r) => `${JSON.stringify(r)}\n`).join(''))).rows).toEqual(rows);
  });

  it('reads latin1 when told to', async () => {
    expect((await readOnce('a.ndjson', Buffer.from('{"id":"\xfc"}\n', 'latin1'), { encoding: 'latin1' })).rows).toEqual([{ id: 'ü' }]);
  });

  it.each([['\ufeff{}', 'UTF-16']])('stops at a file in UTF-16', async (text, word) => {
    await expect(readOnce('a.ndjson', Buffer.from(text, 'utf16le'))).rejects.toMatchObject({
      code: 'SOURCE_DATA_INVALID',
      message: expect.stringContaining(word),
    });
  });
});

describe('CSV', () => {
  const csv = (changes: Partial<FileSourceConfig['csv']>): Partial<FileSourceConfig> => ({ csv: { ...defaults.csv, ...changes } });

  it('reads records under the names of the header, as text', async () => {
    const { events } = await readOnce('in.csv', 'id,name\n1,"a, ""b""\nc"\n2,\n', { key: ['id'] });
    expect(events.map((e) => [e.key, e.after])).toEqual([
      [{ id: '1' }, { id: '1', name: 'a, "b"\nc' }],
      [{ id: '2' }, { id: '2', name: '' }],
    ]);
    expect(events[0]?.table.columns.map((c) => [c.name, c.type, c.nullable])).toEqual([
      ['id', 'string', false],
      ['name', 'string', true],
    ]);
  });

  it.each<[string, string, Partial<FileSourceConfig>, unknown[]]>([
    ['other characters', "id;'a b'\r\n1;'x;''y'\r\n", csv({ delimiter: ';', quote: "'" }), [{ id: '1', 'a b': "x;'y" }]],
    [
      'no header',
      '1,a\n2,b',
      csv({ header: false, columns: ['id', 'name'] }),
      [
        { id: '1', name: 'a' },
        { id: '2', name: 'b' },
      ],
    ],
    ['a header that is renamed', 'ID,NAME\n1,a\n', csv({ columns: ['id', 'name'] }), [{ id: '1', name: 'a' }]],
    [
      'nulls',
      'id,name\n1,\n2,""\n',
      csv({ null_value: '' }),
      [
        { id: '1', name: null },
        { id: '2', name: '' },
      ],
    ],
    ['a byte order mark, empty lines', '\ufeff\n\nid,name\n\n1,a\n', {}, [{ id: '1', name: 'a' }]],
    ['a header alone', 'id,name\n', {}, []],
    ['quotes that are not quotes', 'id,name\n1,"a\n', csv({ quote: null }), [{ id: '1', name: '"a' }]],
    ['space as a value', 'name\n \n', {}, [{ name: ' ' }]],
  ])('takes %s', async (_title, content, config, rows) => {
    const engine = await readOnce('in.csv', content, config);
    expect(engine.rows).toEqual(rows);
    expect(engine.rejected).toEqual([]);
  });

  it('rejects malformed records by the line they begin at, and goes on', async () => {
    const engine = await readOnce('in.csv', 'id,name\n1,"a\nb"\n2\n3,x,y\n4,5" pipe\n5,ok\n6,"never closed\n7,ok\n', { key: ['id'] });
    expect(engine.rows).toEqual([
      { id: '1', name: 'a\nb' },
      { id: '5', name: 'ok' },
      { id: '7', name: 'ok' },
    ]);
    expect(engine.rejected.map((r) => [r.at, r.input])).toEqual([
      ['line 4 of in.csv', '2'],
      ['line 5 of in.csv', '3,x,y'],
      ['line 6 of in.csv', '4,5" pipe'],
      ['line 8 of in.csv', '6,"never closed'],
    ]);
    expect(engine.rejected[0]?.error).toBe('line 4 of in.csv: has 1 fields instead of 2');
  });

  it('gives up a quote that is not closed within the allowed length', async () => {
    const rows = Array.from({ length: 50_000 }, (_, i) => `${i},name`);
    const engine = await readOnce('in.csv', `id,name\nx,"open\n${rows.join('\n')}\n`, { max_line_bytes: 10_000 });
    expect(engine.rejected.map((r) => r.input)).toEqual(['x,"open']);
    expect(engine.events).toHaveLength(50_000);
  });

  it.each([
    ['id,id\n1,2\n', {}, 'names the column "id" twice'],
    ['id,\n1,2\n', {}, 'has a column without a name'],
    ['name\na\n', {}, 'has no column "id"'],
    ['id,a"b\n1,2\n', {}, 'cannot be read'],
    ['id,name\n1,a\n', csv({ columns: ['id'] }), 'has 2 columns, csv.columns has 1'],
  ])('stops at the header %j', async (content, config, message) => {
    await expect(readOnce('in.csv', content, { key: ['id'], ...config })).rejects.toMatchObject({
      code: 'SOURCE_DATA_INVALID',
      message: expect.stringContaining(message),
    });
  });
});

describe('a JSON array', () => {
  it.each([
    ['on one line', '[{"id":1},{"id":2}]'],
    ['pretty-printed', '\ufeff [\n  {\n    "id": 1\n  },\n  {"id": 2}\n]\n\n'],
    ['with marks in texts', '[{"id":1,"t":"]},\\"["},{"id":2}]'],
    ['never closed', '[{"id":1},{"id":2}'],
  ])('is read element by element: %s', async (_title, content) => {
    const engine = await readOnce('a.json', content);
    expect(engine.events.map((e) => e.after?.['id'])).toEqual([1, 2]);
    expect(engine.rejected).toEqual([]);
  });

  it.each([['[]'], ['[ ]\n'], ['[\n']])('may be empty: %j', async (content) => {
    expect((await readOnce('a.json', content)).events).toEqual([]);
  });

  it('rejects malformed elements by number, and goes on', async () => {
    const engine = await readOnce('a.json', '[{"id":1}, 7, {"id":2} {"id":3}, , {"id":4}, {"id":');
    expect(engine.rows).toEqual([{ id: 1 }, { id: 4 }]);
    expect(engine.rejected.map((r) => [r.at, r.input])).toEqual([
      ['element 2 of a.json', '7'],
      ['element 3 of a.json', '{"id":2} {"id":3}'],
      ['element 4 of a.json', ''],
      ['element 6 of a.json', '{"id":'],
    ]);
  });

  it('is told from lines by its first character, unless the format is set', async () => {
    expect((await readOnce('a.json', '{"id":1}\n{"id":2}\n')).rows).toEqual([{ id: 1 }, { id: 2 }]);
    await expect(readOnce('a.json', '{"id":1}\n', { format: 'json' })).rejects.toMatchObject({ code: 'SOURCE_DATA_INVALID' });
  });

  it('stops at an element that is too long to hold', async () => {
    await expect(readOnce('a.json', `[{"id":"${'x'.repeat(900_000)}"}]`, { max_line_bytes: 1_000 })).rejects.toMatchObject({
      code: 'SOURCE_DATA_INVALID',
    });
  });
});

describe('resuming', () => {
  const contents: [string, string, Partial<FileSourceConfig>][] = [
    [
      'a.ndjson',
      Array.from(
        { length: 60 },
        (_, i) => `{"id":${i},"text":"${'x'.repeat(i)}"}\r\n${i % 7 === 0 ? '\n' : ''}${i % 11 === 0 ? 'broken\n' : ''}`,
      ).join(''),
      {},
    ],
    [
      'a.csv',
      `id,text\n${Array.from({ length: 60 }, (_, i) => `${i},"line\n${i % 5 === 0 ? '""' : ''}"\n${i % 11 === 0 ? 'broken\n' : ''}`).join('')}`,
      {},
    ],
    ['a.json', `[${Array.from({ length: 60 }, (_, i) => `{"id":${i}}${i % 11 === 0 ? ', broken' : ''}`).join(',\n')}]`, {}],
  ];
  it.each(contents)(
    'goes on after any batch of %s without skipping or repeating, with the right numbers',
    async (name, content, config) => {
      await using folder = await tempFolder();
      await writeFile(folder.at(name), content);
      const whole = new Engine({ ...config, path: folder.at(name) });
      await whole.once();
      expect(whole.rejected.length).toBeGreaterThan(3);
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 50, max: 500 }), async (maxBatchEvents, maxBatchBytes) => {
          const pieces = new Engine({ ...config, path: folder.at(name) }, { maxBatchEvents, maxBatchBytes });
          for (let before = -1; before !== pieces.batches.length; ) {
            before = pieces.batches.length;
            await pieces.once(1); // the process ends after each batch
          }
          expect(pieces.events.map((e) => [e.id, e.after])).toEqual(whole.events.map((e) => [e.id, e.after]));
          expect(pieces.rejected).toEqual(whole.rejected);
        }),
        { numRuns: 8 },
      );
    },
  );

  it('keeps within the bounds of a batch', async () => {
    await using folder = await tempFolder();
    await writeFile(folder.at('a.ndjson'), `{"id":"${'x'.repeat(90)}"}\n`.repeat(50));
    const bytesBound = new Engine({ path: folder.at('a.ndjson') }, { maxBatchEvents: 20, maxBatchBytes: 4_000 });
    await bytesBound.once();
    expect(bytesBound.batches.every((b) => b.bytes <= 4_000 && b.events.length < 20)).toBe(true);
    const eventsBound = new Engine({ path: folder.at('a.ndjson') }, { maxBatchEvents: 8, maxBatchBytes: 1 << 20 });
    await eventsBound.once();
    expect(eventsBound.batches.map((b) => b.events.length)).toEqual([8, 8, 8, 8, 8, 8, 2]);
  });

  it('gives the same ids in any division into batches', async () => {
    await using folder = await tempFolder();
    await writeFile(folder.at('a.ndjson'), Array.from({ length: 40 }, (_, i) => `{"id":${i}}\n`).join(''));
    const ids = await Promise.all(
      [1, 7, 1000].map(async (maxBatchEvents) => {
        const engine = new Engine({ path: folder.at('a.ndjson') }, { maxBatchEvents, maxBatchBytes: 1 << 20 });
        await engine.once();
        return engine.events.map((e) => e.id);
      }),
    );
    expect(ids[1]).toEqual(ids[0]);
    expect(ids[2]).toEqual(ids[0]);
  });
});

describe('a last line without its end', () => {
  const cases: [string, string, string, unknown[]][] = [
    ['gets its end', '{"id":1}', '\n{"id":2}\n', [{ id: 1 }, { id: 2 }]],
    ['gets its end as CRLF', '{"id":1}', '\r\n{"id":2}\r\n', [{ id: 1 }, { id: 2 }]],
    ['is completed, after it was rejected', '{"id":', '1}\n{"id":2}\n', [{ id: 1 }, { id: 2 }]],
    ['stays as it is', '{"id":1}', '', [{ id: 1 }]],
  ];
  it.each(cases)('%s', async (_title, first, added, rows) => {
    await using folder = await tempFolder();
    await writeFile(folder.at('a.ndjson'), first);
    const engine = new Engine({ path: folder.at('a.ndjson') });
    await engine.once();
    await writeFile(folder.at('a.ndjson'), added, { flag: 'a' });
    await engine.once();
    await engine.once();
    expect(engine.rows).toEqual(rows);
    expect(parsePlace([...engine.positions.values()][0] as never).line).toBe(rows.length);
  });

  it('that grew is read again as a whole', async () => {
    await using folder = await tempFolder();
    await writeFile(folder.at('a.csv'), 'id,name\n1,Ann');
    const engine = new Engine({ path: folder.at('a.csv') });
    await engine.once();
    await writeFile(folder.at('a.csv'), 'abel\n2,Bob\n', { flag: 'a' });
    await engine.once();
    expect(engine.rows).toEqual([
      { id: '1', name: 'Ann' },
      { id: '1', name: 'Annabel' },
      { id: '2', name: 'Bob' },
    ]);
  });

  it('in a JSON array goes on behind the comma', async () => {
    await using folder = await tempFolder();
    await writeFile(folder.at('a.json'), '[{"id":1}');
    const engine = new Engine({ path: folder.at('a.json') });
    await engine.once();
    await writeFile(folder.at('a.json'), ',{"id":2}]', { flag: 'a' });
    await engine.once();
    await engine.once();
    expect(engine.rows).toEqual([{ id: 1 }, { id: 2 }]);
  });
});

describe('a one_time run', () => {
  it('leaves what is added while it runs to the next one', async () => {
    await using folder = await tempFolder();
    await writeFile(folder.at('a.ndjson'), '{"id":1}\n{"id":2}\n');
    const engine = new Engine({ path: folder.at('*.ndjson') });
    await engine.once(undefined, async () => {
      await writeFile(folder.at('a.ndjson'), '{"id":3}\n{"id":4', { flag: 'a' });
      await writeFile(folder.at('b.ndjson'), '{"id":5}\n');
    });
    expect(engine.rows).toEqual([{ id: 1 }, { id: 2 }]);
    await writeFile(folder.at('a.ndjson'), '}\n', { flag: 'a' });
    await engine.once();
    expect(engine.rows).toEqual([1, 2, 3, 4, 5].map((id) => ({ id })));
  });

  it('takes a line whole that is completed while it runs', async () => {
    await using folder = await tempFolder();
    await writeFile(folder.at('a.ndjson'), '{"id":1}\n{"id":');
    const engine = new Engine({ path: folder.at('a.ndjson') });
    await engine.once(undefined, () => writeFile(folder.at('a.ndjson'), '2}\n{"id":3}\n', { flag: 'a' }));
    expect(engine.rows).toEqual([{ id: 1 }, { id: 2 }]);
    expect(engine.rejected).toEqual([]);
  });

  it('does not lose the rest of a file that is rotated while it runs', async () => {
    await using folder = await tempFolder();
    const path = folder.at('a.ndjson');
    await writeFile(path, '{"id":1}\n');
    const engine = new Engine({ path });
    await engine.once(undefined, async () => {
      await writeFile(path, '{"id":2}\n', { flag: 'a' });
      await rename(path, `${path}.1`);
      await writeFile(path, '{"id":3}\n');
    });
    expect(engine.rows.length).toBeLessThanOrEqual(1);
    await engine.once();
    expect(engine.rows).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }]);
  });

  it('ends where its end was asked for, as its positions say', async () => {
    await using folder = await tempFolder();
    await writeFile(folder.at('a.ndjson'), '{"id":1}\n\n\n');
    const source = await descriptor.create(
      { ...defaults, path: folder.at('*.ndjson') },
      {
        pipeline: 'p',
        name: 'files',
        logger: silentLogger,
        clock: { now: () => 0, sleep: async () => {} },
        random: () => 0,
        store: forgetfulStore,
      },
    );
    const end = await source.end();
    const engine = new Engine({ path: folder.at('*.ndjson') });
    await engine.once();
    for (const [partition, position] of Object.entries(end))
      expect(source.positions.covers(engine.positions.get(partition) as Position, position)).toBe(true);
    expect(Object.keys(end)).toEqual(['a.ndjson']);
  });
});

describe('the configuration', () => {
  it.each<[Partial<FileSourceConfig>, string]>([
    [{ path: 'a.txt' }, 'does not tell the format'],
    [{ path: 'a.csv', csv: { ...defaults.csv, header: false } }, 'nothing names the columns'],
    [{ path: 'a.csv', csv: { ...defaults.csv, delimiter: '"' } }, 'also the quote'],
    [{ path: 'a.csv', csv: { ...defaults.csv, delimiter: '→' } }, 'ASCII'],
  ])('refuses %o', (config, message) => {
    expect(
      validate({ ...defaults, ...config })
        .map((p) => p.message)
        .join(),
    ).toContain(message);
  });

  it.each<Partial<FileSourceConfig>>([{ path: 'a.CSV' }, { path: 'in/*' }, { path: 'a.txt', format: 'csv' }])('takes %o', (config) => {
    expect(validate({ ...defaults, ...config })).toEqual([]);
  });

  it('gives tables the name of the file, of its folder, or its own', async () => {
    await using folder = await tempFolder();
    await writeFile(folder.at('a.b.ndjson'), '{}\n');
    for (const [table, name] of [
      ['{name}', 'a.b'],
      ['x_{name}_{folder}', `x_a.b_${folder.path.split('/').at(-1)}`],
      ['$&{name}', '$&a.b'],
    ] as const) {
      const engine = new Engine({ path: folder.at('a.b.ndjson'), table });
      await engine.once();
      expect(engine.events[0]?.table.id.table).toBe(name);
    }
  });
});
