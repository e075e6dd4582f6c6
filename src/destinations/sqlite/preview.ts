// What the destination would do to its tables, for `plan`. A file that is not there is not made.

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { previewOf, type SchemaEvolution, type SchemaPreview, type TableSchema } from '../../sdk/index.ts';
import { loadSqlite, openSqlite, type SqliteDatabase } from '../../util/sqlite.ts';
import type { SqliteConfig } from './config.ts';
import { classify, driverMissing } from './errors.ts';
import { addStatement, createStatement, decide, misfitTexts, wantedColumns } from './schema.ts';
import { columnsAt, targetName } from './target.ts';

export async function* previewSchema(
  config: SqliteConfig,
  evolution: SchemaEvolution,
  source: string,
  tables: readonly TableSchema[],
): AsyncIterable<SchemaPreview> {
  const driver = await loadSqlite();
  if (driver === null) throw driverMissing();
  const path = resolve(config.path);
  let db: SqliteDatabase | null = null;
  try {
    if (existsSync(path)) db = openSqlite(driver, path, { mustExist: true });
    for (const table of tables) yield* previewTable(db, config, evolution, source, table);
  } catch (error) {
    throw classify(error, config.path);
  } finally {
    db?.close();
  }
}

function previewTable(
  db: SqliteDatabase | null,
  config: SqliteConfig,
  evolution: SchemaEvolution,
  source: string,
  table: TableSchema,
): Iterable<SchemaPreview> {
  const name = targetName(config.table, table, source),
    mode = evolution.modeOf(table.id);
  const names = table.columns.map((c) => c.name);
  const decision = decide(db === null ? new Map() : columnsAt(db, name), table, names, mode, config.create_tables);
  return previewOf(table, mode, decision, {
    create: createStatement(name, wantedColumns(table, []), table.key),
    add: (column) => addStatement(name, column),
    addNote: 'in the transaction of the rows',
    widen: null,
    misfits: misfitTexts(decision),
  });
}
