// How PostgreSQL reads, makes and changes target tables (src/relational/targets.ts).

import type { Tables } from '../../relational/targets.ts';
import { alterTable, loosenColumn } from './alter.ts';
import type { Session } from './connection.ts';
import { misfitStatements, misfitTexts, nullableStatement, previewWords } from './ddl.ts';
import { columnFit } from './fit.ts';
import { type CatalogTable, createTable, readTable, targetFor } from './pg-catalog.ts';
import { targetName } from './target-name.ts';
import type { TargetColumn, TargetTable } from './target-table.ts';

export const tables: Tables<Session, TargetColumn, CatalogTable, TargetTable> = {
  nameOf: targetName,
  read: readTable,
  create: createTable,
  alter: alterTable,
  loosen: loosenColumn,
  fit: columnFit,
  target: targetFor,
  misfitStatements: (_session, name, decision) => misfitStatements(name, decision),
  misfitTexts,
  nullableStatement: (_session, name, column) => Promise.resolve(nullableStatement(name, column)),
  previewWords: (_session, name, source, decision) => previewWords(name, source, decision),
};
