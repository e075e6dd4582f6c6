// How MySQL reads, makes and changes target tables (src/relational/targets.ts).

import type { Tables } from '../../relational/targets.ts';
import { alterTable, createTable, loosenColumn, looseningOf } from './alter.ts';
import { readTable, targetFor } from './catalog.ts';
import type { Session } from './connection.ts';
import { misfitStatements, misfitTexts, previewWords } from './ddl.ts';
import { columnFit } from './fit.ts';
import { targetName } from './target-name.ts';
import type { CatalogTable, TargetColumn, TargetTable } from './target-table.ts';

export const tables: Tables<Session, TargetColumn, CatalogTable, TargetTable> = {
  nameOf: targetName,
  read: readTable,
  create: createTable,
  alter: alterTable,
  loosen: loosenColumn,
  fit: columnFit,
  target: targetFor,
  misfitStatements: ({ server }, name, decision) => misfitStatements(name, decision, server),
  misfitTexts,
  nullableStatement: async (session, name, column) => (await looseningOf(session, name, column)) ?? '',
  previewWords: ({ server }, name, source, decision) => previewWords(name, source, decision, server),
};
