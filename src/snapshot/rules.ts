// The rules by which a chunk meets the stream: what the events that a read has not seen leave of each key, and what becomes of
// a row then. Pure. The picture and the reasons are in docs/snapshots.md.

/** One event of a recorded transaction. A key of `null`: which row it is cannot be told. */
export interface Touch {
  readonly op: 'c' | 'u' | 'd' | 't';
  readonly oldKey: string | null;
  readonly key: string | null;
  /** The event had the whole row. */
  readonly isComplete: boolean;
  /** The after image of an incomplete event, kept only for keys that are to be read once more. */
  readonly part: unknown;
}

/**
 * What is left of a key:
 * `gone` (no row), `whole` (all columns went out with the events), `part` (the row that was read, with newer columns: `parts`, or
 * `null` when they were not kept), `moved` (came here from another key, and lacks columns: they are not those of the row read).
 */
export type Left = { readonly kind: 'gone' | 'whole' | 'moved' } | { readonly kind: 'part'; readonly parts: readonly unknown[] | null };

export interface Leavings {
  of(key: string): Left | undefined;
  /** At least one event is newer than the read. */
  readonly any: boolean;
  /** One of them may have touched any row. */
  readonly unknown: boolean;
}

const GONE: Left = { kind: 'gone' },
  WHOLE: Left = { kind: 'whole' },
  MOVED: Left = { kind: 'moved' };

/** What these events, all newer than the read and in their order, leave of each key. */
function leavings(touches: readonly Touch[]): Leavings {
  const keys = new Map<string, Left>();
  let isTruncated = false,
    unknown = false;
  const of = (key: string): Left | undefined => keys.get(key) ?? (isTruncated ? GONE : undefined);
  for (const { op, oldKey, key, isComplete, part } of touches) {
    if (op === 't') {
      keys.clear();
      isTruncated = true;
    } else if ((op !== 'c' && oldKey === null) || (op !== 'd' && key === null)) {
      unknown = true;
    } else if (op === 'd') {
      keys.set(oldKey as string, GONE);
    } else if (op === 'c') {
      keys.set(key as string, WHOLE);
    } else {
      const was = of(oldKey as string);
      if (oldKey !== key) keys.set(oldKey as string, GONE);
      keys.set(key as string, isComplete || was?.kind === 'whole' ? WHOLE : partly(was, oldKey !== key, part));
    }
  }
  return { of, any: touches.length > 0, unknown };
}

function partly(was: Left | undefined, isMove: boolean, part: unknown): Left {
  if (isMove || (was !== undefined && was.kind !== 'part')) return MOVED;
  const before = was === undefined ? [] : was.parts;
  return { kind: 'part', parts: before === null || part === undefined ? null : [...before, part] };
}

/**
 * An incomplete change of key lists its new key at once: the row may jump into a range that was read already. One that stays
 * under its key need not: either the destination has the row, or it is on the list, or a later chunk reads it. Unless chunks are
 * read in the order of another key than events carry: then it may have jumped all the same.
 */
function listsAtOnce(oldKey: string | null, key: string | null, isComplete: boolean, isOrderedByIdentity: boolean): boolean {
  return !isComplete && (oldKey !== key || !isOrderedByIdentity);
}

/** A row of a range. Dropping is safe only if what went out since is whole; in doubt the key is read once more. */
function rangeRow(isDoubtful: boolean, left: Left | undefined, { any }: Leavings): 'send' | 'drop' | 'list' {
  if (isDoubtful && any) return 'list';
  if (left === undefined) return 'send';
  return left.kind === 'gone' || left.kind === 'whole' ? 'drop' : 'list';
}

/** A row that was read once more. `stay`: it stays on the list. */
function listedRow(isDoubtful: boolean, left: Left | undefined, { any }: Leavings): 'send' | 'merge' | 'drop' | 'stay' {
  if (isDoubtful && any) return 'stay';
  if (left === undefined) return 'send';
  if (left.kind === 'part') return left.parts === null ? 'stay' : 'merge';
  return left.kind === 'moved' ? 'stay' : 'drop';
}

/** A key that was to be read once more and has no row. An incomplete event newer than the read may have brought one. */
function absentKey(left: Left | undefined): 'drop' | 'stay' {
  return left?.kind === 'part' || left?.kind === 'moved' ? 'stay' : 'drop';
}

/** Handed in, so that the model test can plant a mistake in each. */
export interface SnapshotRules {
  readonly leavings: typeof leavings;
  readonly listsAtOnce: typeof listsAtOnce;
  readonly rangeRow: typeof rangeRow;
  readonly listedRow: typeof listedRow;
  readonly absentKey: typeof absentKey;
}

export const RULES: SnapshotRules = { leavings, listsAtOnce, rangeRow, listedRow, absentKey };
