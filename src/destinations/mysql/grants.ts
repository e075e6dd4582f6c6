// What a user may do, from the statements of SHOW GRANTS. Pure. https://dev.mysql.com/doc/refman/8.0/en/show-grants.html

export interface Grants {
  /** The privileges among these that nobody has granted on the table, or on all tables of the schema without one. */
  missing(wanted: readonly string[], schema: string, table?: string): string[];
  /** Privileges may also come by a role, which the statements do not spell out. */
  readonly hasRoles: boolean;
}

interface Grant {
  readonly privileges: ReadonlySet<string>;
  covers(schema: string, table: string | undefined): boolean;
}

const NAME = '(?:`((?:[^`]|``)*)`|(\\*))';
const STATEMENT = new RegExp(`^GRANT (.+?) ON (?:TABLE )?${NAME}(?:\\.${NAME})? TO `, 's');

export function parseGrants(statements: readonly string[]): Grants {
  const grants = statements.flatMap((s) => parse(s) ?? []);
  return {
    hasRoles: statements.some((s) => s.startsWith('GRANT ') && !/ ON /.test(s)),
    missing: (wanted, schema, table) => {
      const granted = grants.filter((g) => g.covers(schema, table));
      return wanted.filter(
        (p) => !granted.some((g) => g.privileges.has(p) || g.privileges.has('ALL PRIVILEGES') || g.privileges.has('ALL')),
      );
    },
  };
}

function parse(statement: string): Grant | null {
  const match = STATEMENT.exec(statement);
  if (match === null) return null;
  const [, list = '', schemaName, , tableName] = match;
  // Privileges on single columns are not enough for us.
  const privileges = new Set(list.split(/, (?![^(]*\))/).filter((p) => !p.includes('(')));
  const schemaPattern = schemaName === undefined ? null : patternOf(schemaName.replaceAll('``', '`'));
  return {
    privileges,
    covers: (schema, table) =>
      (schemaPattern === null || schemaPattern.test(schema)) && (tableName === undefined || tableName.replaceAll('``', '`') === table),
  };
}

/** `_` and `%` stand for others in the names of databases, unless a backslash is before them. */
function patternOf(name: string): RegExp {
  const source = name.replace(/\\?[_%]|[.*+?^${}()|[\]\\]/g, (c) => (c === '_' ? '.' : c === '%' ? '.*' : `\\${c.at(-1)}`));
  return new RegExp(`^${source.replaceAll('\\_', '_').replaceAll('\\%', '%')}$`, 'su');
}
