import pc from 'picocolors';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { adapterLines, type ListedType } from '../../../src/cli/commands/adapters.ts';
import { pipelineTemplate } from '../../../src/cli/pipeline-template.ts';
import { keysOf, sampleConfig } from '../../../src/cli/sample-config.ts';
import { Default, Duration, Keys, OneOf, Secret, Type } from '../../../src/sdk/index.ts';

const config = Keys({
  path: Type.String({ description: 'Path of the file.', examples: ['shop.db'] }),
  password: Secret({ description: 'Password.' }),
  mode: Default(OneOf(['a', 'b'], { description: 'How.' }), 'b'),
  wait: Default(Duration({ unit: 's', description: 'How long.', examples: ['5s'] }), 5),
  tables: Type.Array(Type.String()),
  size: Type.Integer({ minimum: 3 }),
  note: Type.Optional(Type.String({ description: `A long text. ${'word '.repeat(40)}`.trim() })),
});
const inline = (value: unknown): string => stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trimEnd();

describe('sampleConfig', () => {
  it('has every required key and every default', () => {
    expect(sampleConfig(config)).toEqual({ path: 'shop.db', password: 'example', mode: 'b', wait: 5, tables: [], size: 3 });
  });

  it('knows required, secret and described keys', () => {
    expect(keysOf(config).map((k) => [k.name, k.required, k.secret])).toEqual([
      ['path', true, false],
      ['password', true, true],
      ['mode', false, false],
      ['wait', false, false],
      ['tables', true, false],
      ['size', true, false],
      ['note', false, false],
    ]);
  });
});

describe('pipelineTemplate', () => {
  const text = pipelineTemplate(
    {
      name: 'orders',
      mode: 'cron',
      schemaRef: '../schemas/pipeline.schema.json',
      file: 'pipelines/orders.yaml',
      source: { name: 'shop-db', type: 'sqlite', title: 'SQLite', config, values: { path: 'my: shop.db' } },
      destinations: [
        { name: 'a', type: 'x', title: 'X', config: Keys({}), values: {} },
        { name: 'b', type: 'y', title: 'Y', config, values: { size: 7 } },
      ],
    },
    inline,
  );

  it('is YAML with the values given, examples for what is required, and secrets from the environment', () => {
    expect(parse(text)).toEqual({
      name: 'orders',
      source: { name: 'shop-db', type: 'sqlite', path: 'my: shop.db', password: '${SHOP_DB_PASSWORD}', tables: [], size: 3 },
      destinations: [
        { name: 'a', type: 'x' },
        { name: 'b', type: 'y', path: 'shop.db', password: '${B_PASSWORD}', tables: [], size: 7 },
      ],
      sync: { mode: 'cron', schedule: '*/15 * * * *', timezone: 'UTC' },
    });
  });

  it('shows durations with their unit', () => {
    expect(text).toContain('  # How long.\n  # wait: 5s\n');
  });

  it('begins with the schema line and explains every key, in lines that fit', () => {
    expect(text.startsWith('# yaml-language-server: $schema=../schemas/pipeline.schema.json\n')).toBe(true);
    expect(text).toContain('  # Path of the file.\n  path: "my: shop.db"\n');
    expect(text).toContain('  # How.\n  # mode: b\n');
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(120);
  });
});

describe('adapterLines', () => {
  it('lists what is ready with its abilities, and names what is to come', () => {
    const source: ListedType = {
      kind: 'source',
      type: 'sqlite',
      aliases: [],
      title: 'SQLite',
      available: true,
      capabilities: { ordering: 'log', deletes: true, beforeImage: false, snapshot: true, schemaChanges: false, risks: [], creates: [] },
    };
    const planned: ListedType = { kind: 'source', type: 'kafka', aliases: [], title: 'Kafka', available: false, capabilities: null };
    const point: ListedType = {
      kind: 'destination',
      type: 'postgresql',
      aliases: [],
      title: 'PostgreSQL',
      available: true,
      capabilities: { holdsPoint: true, idempotent: true, input: 'rows', keyless: false, maxInFlight: 1, creates: [] },
    };
    expect(adapterLines([source, planned, point], pc.createColors(false), 80)).toEqual([
      'Sources',
      '  sqlite  SQLite',
      '          snapshot, deletes',
      '  accepted, not available yet: kafka',
      '',
      'Destinations',
      '  postgresql  PostgreSQL',
      '              effectively-once, needs keys',
      '',
      'The keys of a type: cdc-run schema <type>',
    ]);
  });
});
