// The catalog: every type can be loaded, names and aliases agree, and modules of users work.

import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canonicalType, isPlanned, type Kind, listTypes, loadDescriptor, resolveDescriptor, typeNames } from '../../../src/catalog.ts';
import { isSimple } from '../../../src/config/check-schema.ts';
import { checkOf } from '../../../src/config/validate.ts';
import { CdcError, type Descriptor } from '../../../src/sdk/index.ts';

let folder: string;
const module = (name: string, text: string): void => {
  writeFileSync(join(folder, name), text);
};

beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'cdc-catalog-')));
  module('helper.ts', 'export const title: string = "from a helper";\n');
  module(
    'upper.ts',
    `
    import { type ChangeEvent, CdcError, defineTransformer, Keys, Type } from 'cdc-run/sdk';
    import { title } from './helper.ts';
    export const TheError = CdcError;
    export const descriptor = defineTransformer({
      type: 'upper', title, config: Keys({ column: Type.String({ description: 'Column.' }) }),
      create: (config) => ({ transform: (events: ChangeEvent[]) => { if (config.column === '') throw new CdcError('PLUGIN_FAILED', 'no column'); return events; } }),
    });
  `,
  );
  module(
    'plain.mjs',
    'export default { kind: "hook", type: "plain", title: "Plain", config: { type: "object" }, create: () => ({ handle() {} }) };\n',
  );
  module('nothing.ts', 'export const x = 1;\n');
  module('throws.ts', 'throw new Error("on purpose");\n');
  module('syntax.ts', 'export const = ;\n');
  module('half.mjs', 'export const descriptor = { kind: "source", type: "half", title: "", config: { type: "object" }, create() {} };\n');
  const packaged = join(folder, 'node_modules', '@acme', 'cdc-upper');
  mkdirSync(packaged, { recursive: true });
  writeFileSync(join(packaged, 'package.json'), '{"name": "@acme/cdc-upper", "type": "module", "exports": {"import": "./main.js"}}');
  writeFileSync(
    join(packaged, 'main.js'),
    'export const descriptor = { kind: "transformer", type: "upper", title: "Upper", config: { type: "object" }, create: () => ({ transform: (e) => e }) };\n',
  );
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

async function failureOf(kind: Kind, type: string): Promise<CdcError> {
  const error: unknown = await resolveDescriptor(kind, type, { baseDir: folder }).catch((cause: unknown) => cause);
  if (!(error instanceof CdcError)) throw new Error('no CdcError');
  return error;
}

describe('built-in types', () => {
  it('load, under the name and with the aliases of their descriptor', async () => {
    for (const { kind, type, aliases, descriptor, available } of await listTypes()) {
      expect([descriptor.kind, descriptor.type, descriptor.aliases ?? []], `${kind} ${type}`).toEqual([kind, type, aliases]);
      expect(isPlanned(descriptor), `${kind} ${type}`).toBe(!available);
      expect(descriptor.title, `${kind} ${type}`).not.toBe('');
    }
  });

  it('have schemas that need no Ajv, whose keys are described and whose examples and defaults are valid', async () => {
    for (const { kind, type, descriptor } of await listTypes()) {
      expect(isSimple(descriptor.config), `${kind} ${type}`).toBe(true);
      for (const [key, schema] of Object.entries(
        descriptor.config['properties'] as Record<string, { description?: string; default?: unknown; examples?: unknown[] }>,
      )) {
        expect(schema.description, `${kind} ${type}.${key}`).toEqual(expect.any(String));
        const check = await checkOf(schema);
        for (const example of [...(schema.examples ?? []), ...(schema.default === undefined ? [] : [structuredClone(schema.default)])]) {
          // A variable stands for a value of any type.
          if (typeof example === 'string' && example.startsWith('${')) continue;
          expect(check(example, []), `${kind} ${type}.${key}: ${JSON.stringify(example)}`).toEqual([]);
        }
      }
    }
  });

  it('say the unit of a default in seconds: a bare number is easily thought in milliseconds', async () => {
    const bare: string[] = [];
    const visit = (schema: unknown, at: string): void => {
      if (typeof schema !== 'object' || schema === null) return;
      const { 'x-duration': unit, default: fallback } = schema as { 'x-duration'?: string; default?: unknown };
      if (unit === 's' && typeof fallback === 'number' && fallback !== 0) bare.push(at);
      for (const [key, value] of Object.entries(schema)) visit(value, `${at}.${key}`);
    };
    for (const { kind, type, descriptor } of await listTypes()) visit(descriptor.config, `${kind} ${type}`);
    expect(bare).toEqual([]);
  });

  it('have names that are unique within their kind', () => {
    for (const kind of ['source', 'destination', 'transformer', 'middleware', 'hook'] as const) {
      expect(new Set(typeNames(kind)).size).toBe(typeNames(kind).length);
    }
  });

  it.each([
    ['destination', 'postgres', 'postgresql'],
    ['source', 'mariadb', 'mysql'],
    ['destination', 'null', 'null'],
  ] as const)('%s %s is %s', async (kind, name, type) => {
    expect(await canonicalType(kind, name, { baseDir: folder })).toBe(type);
    expect((await resolveDescriptor(kind, name, { baseDir: folder })).type).toBe(type);
  });

  it('that are planned cannot be loaded for a run', async () => {
    await expect(loadDescriptor('source', 'mongo', { baseDir: folder })).rejects.toMatchObject({
      code: 'CONFIG_TYPE_NOT_AVAILABLE',
      message: 'the source type "mongodb" is known, but this version cannot run it yet',
    });
  });
});

describe('modules of users', () => {
  it('may be TypeScript that imports cdc-run/sdk, and get the same classes', async () => {
    const descriptor = (await resolveDescriptor('transformer', './upper.ts', { baseDir: folder })) as Extract<
      Descriptor,
      { kind: 'transformer' }
    >;
    expect(descriptor).toMatchObject({ kind: 'transformer', type: 'upper', title: 'from a helper' });
    const transformer = await descriptor.create({ column: '' } as never, {} as never);
    expect(() => transformer.transform([])).toThrow(CdcError);
    expect(await canonicalType('transformer', './upper.ts', { baseDir: folder })).toBe(join(folder, 'upper.ts'));
  });

  it('are loaded once, so that what was validated is what runs', async () => {
    const [first, second] = await Promise.all(
      [1, 2].map(() => resolveDescriptor('transformer', join(folder, 'upper.ts'), { baseDir: '/' })),
    );
    expect(first).toBe(second);
  });

  it('may export by default, and may be a package', async () => {
    expect((await resolveDescriptor('hook', './plain.mjs', { baseDir: folder })).type).toBe('plain');
    expect(await canonicalType('transformer', '@acme/cdc-upper', { baseDir: folder })).toBe(
      join(folder, 'node_modules/@acme/cdc-upper/main.js'),
    );
    expect((await resolveDescriptor('transformer', '@acme/cdc-upper', { baseDir: folder })).title).toBe('Upper');
  });

  it.each([
    ['source', './missing.ts', 'there is no such file'],
    ['source', './nothing.ts', 'it exports no descriptor'],
    ['source', './upper.ts', 'its descriptor is a transformer, not a source'],
    ['source', './half.mjs', 'its descriptor has no capabilities function'],
    ['source', './throws.ts', 'on purpose'],
    ['source', './syntax.ts', 'Unexpected token'],
  ] as const)('%s %s: %s', async (kind, type, reason) => {
    const error = await failureOf(kind, type);
    expect(error.code).toBe('PLUGIN_LOAD_FAILED');
    expect(error.message).toContain(`the module ${join(folder, type)} cannot be used: `);
    expect(error.message).toContain(reason);
    expect(error.fix).not.toBeNull();
  });

  it.each(['@acme/none', 'no-such-package', 'nothing', 'pg', 'fs'])('the name %s is an unknown type', async (type) => {
    expect(await failureOf('source', type)).toMatchObject({ code: 'CONFIG_UNKNOWN_TYPE', message: `unknown source type "${type}"` });
  });
});
