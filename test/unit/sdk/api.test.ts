// The public API as a snapshot, so that a change of it is a visible diff: exported names and their kinds.
// After a change that is meant: `npx vitest run --project unit test/unit/sdk/api.test.ts -u`.

import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import * as library from '../../../src/index.ts';
import * as sdk from '../../../src/sdk/index.ts';
import * as testing from '../../../src/sdk/testing/index.ts';

const ROOT = join(import.meta.dirname, '../../..');
const ENTRIES = [
  ['cdc-run', 'src/index.ts', library],
  ['cdc-run/sdk', 'src/sdk/index.ts', sdk],
  ['cdc-run/sdk/testing', 'src/sdk/testing/index.ts', testing],
] as const;

const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile) as { config: { compilerOptions: object } };
const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, ROOT);
const program = ts.createProgram(
  ENTRIES.map(([, file]) => join(ROOT, file)),
  options,
);
const checker = program.getTypeChecker();

/** `class`, `function`, `const`, `type`: what a name means in the module that makes it. */
function kindOf(symbol: ts.Symbol): string {
  const { flags } = (symbol.flags & ts.SymbolFlags.Alias) === 0 ? symbol : checker.getAliasedSymbol(symbol);
  const kinds = [
    [ts.SymbolFlags.Class, 'class'],
    [ts.SymbolFlags.Function, 'function'],
    [ts.SymbolFlags.Variable, 'const'],
    [ts.SymbolFlags.Interface, 'interface'],
    [ts.SymbolFlags.TypeAlias, 'type'],
  ] as const;
  return kinds
    .filter(([flag]) => (flags & flag) !== 0)
    .map(([, name]) => name)
    .join(' + ');
}

describe.each(ENTRIES)('%s', (_name, file, module) => {
  const source = program.getSourceFile(join(ROOT, file));
  const symbol = source && checker.getSymbolAtLocation(source);
  const exported =
    symbol === undefined
      ? []
      : checker
          .getExportsOfModule(symbol)
          .map((s) => [s.name, kindOf(s)] as const)
          .sort(([a], [b]) => (a < b ? -1 : 1));

  it('exports these names', () => {
    expect(exported.map(([name, kind]) => `${kind} ${name}`)).toMatchSnapshot();
  });

  it('has at run time the names that are no types', () => {
    const values = exported.filter(([, kind]) => /class|function|const/.test(kind)).map(([name]) => name);
    expect(Object.keys(module).sort()).toEqual([...values].sort());
  });
});
