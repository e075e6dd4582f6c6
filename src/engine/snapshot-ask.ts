// What an operator asks of the snapshot of tables: which source is meant, and can it? Used by a running pipeline and by the
// command that leaves the request for the next start.

import { CdcError, type SnapshotReceipt, type SnapshotRequest, type Source, toCdcError } from '../sdk/index.ts';

export interface SnapshotAsk extends SnapshotRequest {
  /** `null`: the only source. */
  readonly source: string | null;
}

export interface SnapshotTaken extends SnapshotReceipt {
  readonly source: string;
}

interface Named {
  readonly config: { readonly name: string; readonly type: string };
}

/** Throws when the request does not say which of several sources it is for. */
export function sourceAsked<S extends Named>(pipeline: string, sources: readonly S[], { source }: Pick<SnapshotAsk, 'source'>): S {
  const [only, second] = sources,
    found = source === null ? (second === undefined ? only : undefined) : sources.find((s) => s.config.name === source);
  if (found !== undefined) return found;
  const problem = source === null ? 'it has several sources' : `it has no source ${JSON.stringify(source)}`;
  throw refusedSnapshot(pipeline, problem, `Name one with --source: ${sources.map((s) => s.config.name).join(', ')}.`);
}

/** Resolves once the request is durable. */
export async function requestSnapshot(
  pipeline: string,
  { config: { name, type }, source }: Named & { readonly source: Source },
  { id, action, tables, where }: SnapshotAsk,
): Promise<SnapshotTaken> {
  if (source.snapshot === undefined)
    throw refusedSnapshot(
      pipeline,
      `a source of type ${type} cannot read single tables again`,
      'To read everything again, let a destination join anew: `cdc-run forget`, then start.',
    );
  try {
    const receipt = await source.snapshot({ id, action, tables, where });
    return { source: name, tables: receipt.tables };
  } catch (error) {
    throw toCdcError(error, 'SOURCE_FAILED', { where: `source "${name}"` });
  }
}

export function refusedSnapshot(pipeline: string, problem: string, fix: string): CdcError {
  return new CdcError('SOURCE_SNAPSHOT_REFUSED', `The snapshot of pipeline "${pipeline}" is left as it is: ${problem}.`, {
    where: `pipeline "${pipeline}"`,
    fix,
  });
}
