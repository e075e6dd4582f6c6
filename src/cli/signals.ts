// SIGINT and SIGTERM: the first drains and checkpoints, the second ends the process at once (what was in flight is repeated at the
// next start). Invariant 7.

import { exitCodeOfSignal } from './exit-code.ts';

const STOP_SIGNALS = ['SIGINT', 'SIGTERM'] as const satisfies readonly NodeJS.Signals[];

/** What is used of `process`; tests hand in an emitter. */
export interface SignalTarget {
  on(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
  off(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
  exit(code: number): unknown;
}

/** Calls `stop` at the first signal. Returns a function that stops listening. */
export function onStopSignal(target: SignalTarget, stop: (signal: NodeJS.Signals) => void): () => void {
  let stopping = false;
  const listener = (signal: NodeJS.Signals): void => {
    if (stopping) {
      target.exit(exitCodeOfSignal(signal));
      return;
    }
    stopping = true;
    stop(signal);
  };
  for (const signal of STOP_SIGNALS) target.on(signal, listener);
  return () => {
    for (const signal of STOP_SIGNALS) target.off(signal, listener);
  };
}
