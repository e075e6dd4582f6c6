// Work of a library that knows no signals: who is aborted leaves at once, after taking its connections away.

import { CdcError } from '../../sdk/index.ts';

/** `giveUp` must make sure that nothing of `work` reaches the brokers any more. */
export async function abortable<T>(work: Promise<T>, signal: AbortSignal, giveUp: () => void): Promise<T> {
  if (!signal.aborted) {
    let onAbort = (): void => undefined;
    const aborted = new Promise<null>((resolve) => {
      onAbort = () => resolve(null);
      signal.addEventListener('abort', onAbort, { once: true });
    });
    try {
      const first = await Promise.race([work.then((value) => ({ value })), aborted]);
      if (first !== null) return first.value;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }
  work.catch(() => undefined);
  giveUp();
  throw new CdcError('DESTINATION_FAILED', 'Stopped before the batch was stored.', { retriable: true });
}
