// Bounds one call of `Destination.write` in time. A server that accepts and never answers must neither hold a lane for ever
// nor the end of the process.

import { CdcError, type Clock, type WriteResult } from '../sdk/index.ts';

/** A reason of its own: without one each abort makes an exception with the stack of the caller, which costs more than all else here. */
const OVER = 'over';

/** How long an adapter may take to let go after its signal has aborted. Sockets are cut within milliseconds. */
export const ABORT_GRACE_MS = 1000;

export interface WriteBounds {
  readonly clock: Clock;
  /** Of the destination, for messages. */
  readonly name: string;
  /** 0 = never. */
  readonly timeoutMs: number;
}

/**
 * Calls `write`. After `timeoutMs` its signal aborts, and what it stored by then is unknown: `DESTINATION_OUTCOME_UNKNOWN`. If it
 * does not even end then, nothing may be sent again, since calls must not overlap: `DESTINATION_HANGS`, which is not tried again.
 */
export async function boundedWrite(
  { clock, name, timeoutMs }: WriteBounds,
  outer: AbortSignal,
  write: (signal: AbortSignal) => Promise<WriteResult>,
): Promise<WriteResult> {
  const inner = new AbortController(),
    over = new AbortController();
  const stop = (): void => inner.abort();
  if (outer.aborted) stop();
  outer.addEventListener('abort', stop, { once: true });
  const call = write(inner.signal);
  const hanging = whenAborted(inner.signal).then(() => clock.sleep(ABORT_GRACE_MS, over.signal));
  let late = false;
  if (timeoutMs > 0)
    void clock.sleep(timeoutMs, over.signal).then(() => {
      if (over.signal.aborted || inner.signal.aborted) return;
      late = true;
      stop();
    });
  try {
    return await Promise.race([call, hanging.then((): never => raise(hangs(name, timeoutMs)))]);
  } catch (cause) {
    throw late && !isHanging(cause) ? unknownOutcome(name, timeoutMs, cause) : cause;
  } finally {
    over.abort(OVER);
    outer.removeEventListener('abort', stop);
    call.catch(() => {}); // given up: nobody waits for it any more
  }
}

function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function raise(error: CdcError): never {
  throw error;
}

const isHanging = (error: unknown): boolean => error instanceof CdcError && error.code === 'DESTINATION_HANGS';

function unknownOutcome(name: string, timeoutMs: number, cause: unknown): CdcError {
  return new CdcError('DESTINATION_OUTCOME_UNKNOWN', `destination "${name}" did not answer a write within ${timeoutMs / 1000} s`, {
    where: `destination "${name}"`,
    fix: 'Find out what the destination waits for (locks, a full disk), or raise write_timeout.',
    retriable: true,
    cause,
  });
}

function hangs(name: string, timeoutMs: number): CdcError {
  return new CdcError(
    'DESTINATION_HANGS',
    `destination "${name}" did not answer a write within ${timeoutMs / 1000} s, nor end it when it was told to`,
    { where: `destination "${name}"`, fix: 'Start the pipeline again; it goes on at the last confirmed place.' },
  );
}
