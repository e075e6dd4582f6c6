// The Relation message: what the rows that follow consist of. The server sends it before the first row and after each change.
// https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html#PROTOCOL-LOGICALREP-MESSAGE-FORMATS-RELATION

import type { MessageReader } from './reader.ts';

/** REPLICA IDENTITY: default, nothing, full, using index. */
export type ReplicaIdentity = 'd' | 'n' | 'f' | 'i';

export interface RelationColumn {
  readonly name: string;
  readonly typeOid: number;
  /** `atttypmod`, -1 for none. */
  readonly typmod: number;
  /** Part of the replica identity; under FULL every column is. */
  readonly isKey: boolean;
}

export interface Relation {
  readonly oid: number;
  readonly schema: string;
  readonly table: string;
  readonly identity: ReplicaIdentity;
  /** In the order of the values in a row. Generated columns are missing before PostgreSQL 18. */
  readonly columns: readonly RelationColumn[];
}

const IDENTITIES: ReadonlyMap<number, ReplicaIdentity> = new Map((['d', 'n', 'f', 'i'] as const).map((c) => [c.charCodeAt(0), c]));
const KEY_FLAG = 1;

/** The rest of the message, behind its tag. */
export function decodeRelation(r: MessageReader): Relation {
  const oid = r.uint32('the relation id'),
    // The server leaves out the name of its own schema.
    schema = r.string('the schema') || 'pg_catalog',
    table = r.string('the table');
  const identity = IDENTITIES.get(r.byte('the replica identity')) ?? r.fail('unknown replica identity');
  const count = r.int16('the number of columns'),
    columns: RelationColumn[] = [];
  if (count < 0) r.fail(`${count} columns`);
  // Bounded by the message: each column takes at least ten bytes of it.
  for (let i = 0; i < count; i++) {
    const flags = r.byte('the flags of a column'),
      name = r.string('the name of a column');
    columns.push({
      name,
      typeOid: r.uint32('the type of a column'),
      typmod: r.int32('the modifier of a column'),
      isKey: (flags & KEY_FLAG) !== 0,
    });
  }
  return { oid, schema, table, identity, columns };
}
