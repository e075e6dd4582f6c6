// `schema_evolution` → one mode and those of single tables. `enabled` and `strict_mode` are the short form.

import type { SchemaEvolutionConfig } from '../engine/pipeline-config.ts';
import type { ConfigDocument } from './document.ts';
import type { SchemaEvolutionSection } from './operation-sections.ts';

/** Columns are added: what destinations do where nobody says anything. */
const NOT_CONFIGURED: SchemaEvolutionConfig = { mode: 'lenient', tables: [] };

export function schemaEvolutionConfig(section: SchemaEvolutionSection | undefined): SchemaEvolutionConfig {
  if (!section?.enabled) return NOT_CONFIGURED;
  const tables = Object.entries(section.tables ?? {}).map(([pattern, value]) => ({
    pattern,
    mode: typeof value === 'string' ? value : value.mode,
  }));
  return { mode: section.mode ?? (section.strict_mode === true ? 'freeze' : 'evolve'), tables };
}

export function checkSchemaEvolution(section: SchemaEvolutionSection | undefined, document: ConfigDocument): void {
  if (section?.mode === undefined || section.strict_mode === undefined) return;
  document.problem({
    code: 'CONFIG_INVALID_VALUE',
    path: ['schema_evolution', 'strict_mode'],
    atKey: true,
    message: 'schema_evolution.strict_mode is the short form of mode, which is there too',
    fix: 'Remove strict_mode.',
  });
}
