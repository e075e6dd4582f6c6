// What becomes of a log whose history is lost when `snapshot_mode: when_needed` asks for everything to be read again.

import { CdcError } from '../sdk/index.ts';

/** `left`: captured tables whose rows are not read. What they lack cannot be made up for, so it must not be passed over. Throws `lost`. */
export function assertAllAreRead(lost: CdcError, left: readonly string[], where: string): void {
  if (left.length === 0) return;
  throw new CdcError(lost.code, `${lost.message} Reading again does not make up for it: of ${left.join(', ')} no rows are read.`, {
    where,
    fix: 'Add these tables to `snapshot.tables`, or take them out of `tables`.',
    cause: lost,
  });
}
