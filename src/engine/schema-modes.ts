// The modes of `schema_evolution` as destinations ask for them: one per table of the source.

import { formatTableId, type SchemaEvolution, type SchemaMode } from '../sdk/index.ts';
import { globToRegExp, isGlob } from '../util/glob.ts';
import type { SchemaEvolutionConfig } from './pipeline-config.ts';

export function schemaModes({ mode, tables }: SchemaEvolutionConfig): SchemaEvolution {
  const exact = new Map(tables.map((t) => [t.pattern, t.mode]));
  const patterns = tables.filter((t) => isGlob(t.pattern)).map((t) => ({ matches: globToRegExp(t.pattern, '.'), mode: t.mode }));
  const known = new Map<string, SchemaMode>();
  return {
    modeOf: (table) => {
      const name = formatTableId(table);
      const found = known.get(name) ?? exact.get(name) ?? patterns.find((p) => p.matches.test(name))?.mode ?? mode;
      known.set(name, found);
      return found;
    },
  };
}
