// The error that a call must fail with.

import { CdcError } from '../../src/sdk/index.ts';

export async function failureOf(call: Promise<unknown>): Promise<CdcError> {
  const error: unknown = await call.then(
    () => null,
    (e: unknown) => e,
  );
  if (error instanceof CdcError) return error;
  throw new Error(`expected a CdcError, got ${String(error)}`);
}
