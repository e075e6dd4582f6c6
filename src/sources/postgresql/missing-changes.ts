// Of which tables changes are missing, because the publication did not send them, and what becomes of those. Pure.
//
// | | `initial`, and the table is one that is read | `when_needed`, the same | `never`, or one that is not read |
// |---|---|---|---|
// | left, rejoined, altered | refused | read anew | refused |
// | recreated, returned: a new table | read anew | read anew | gone on with, from where it is sent |
//
// An operator's order (`cdc-run snapshot`) after a refusal wins: read again, or `--skip`.

import { CdcError, type SnapshotProgress } from '../../sdk/index.ts';
import type { PostgresqlSourceConfig } from './config.ts';
import { type Break, breakOf, isAlteredBack, type Published } from './replication/published.ts';

/** `returned`: it was taken out of the configuration, and put back. */
export interface Missing {
  /** As progress names it. */
  readonly table: string;
  readonly schema: string;
  readonly name: string;
  readonly why: Break | 'returned';
}

export const WORDS: Readonly<Record<Missing['why'], string>> = {
  left: 'it is not sent, or not all of its changes',
  rejoined: 'it was not sent for a time',
  altered: 'settings of the publication were changed and changed back',
  recreated: 'another table has its name now',
  returned: 'it was not captured for a time',
};

/** Pure. `order`: what an operator has answered since. */
export function verdictOn(
  why: Missing['why'],
  isWanted: boolean,
  mode: PostgresqlSourceConfig['snapshot_mode'],
  order: 'begin' | 'skip' | null,
): 'read anew' | 'go on' | 'refuse' {
  if (order !== null) return order === 'begin' ? 'read anew' : 'go on';
  // A new table: its rows are read where those of new tables are.
  if (why === 'recreated' || why === 'returned') return isWanted ? 'read anew' : 'go on';
  return mode === 'when_needed' && isWanted ? 'read anew' : 'refuse';
}

/** Pure. `progress`: of a table that nothing else is known of, it says that the table was captured once. */
export function missingOf(known: Published, now: Published, progress: readonly SnapshotProgress[]): Missing[] {
  const missing: Missing[] = [],
    isAltered = isAlteredBack(known, now);
  for (const [table, as] of Object.entries(now.tables)) {
    const before = known.tables[table];
    const why =
      before === undefined
        ? progress.some((p) => p.table === table && p.state === 'done')
          ? 'returned'
          : null
        : breakOf(before, as, isAltered);
    if (why !== null) missing.push({ table, schema: as.schema, name: as.table, why });
  }
  return missing;
}

/** `sql`: what must be run first, each statement with what to say of it. `retriable`: the next start decides. */
export function changesMissing(
  missing: readonly Missing[],
  of: {
    readonly sql: string;
    readonly retriable: boolean;
    readonly pipeline: string;
    readonly publication: string;
    readonly where: string;
  },
): CdcError {
  const what = missing.map(({ table, why }) => `${table} (${WORDS[why]})`).join(', '),
    run = `\`cdc-run snapshot ${of.pipeline} --tables ${missing.map((m) => m.table).join(',')}\` and start it`;
  return new CdcError(
    of.retriable ? 'SOURCE_FAILED' : 'SOURCE_POSITION_GONE',
    `Changes are missing, because the publication "${of.publication}" was changed: ${what}.`,
    {
      where: of.where,
      fix: `${of.sql}${of.sql === '' ? 'Run' : 'Then run'} ${run}, which reads them again; with --skip it goes on without what is missing. \`snapshot_mode: when_needed\` reads them again by itself.`,
      retriable: of.retriable,
    },
  );
}
