// Says where an error happened, if it does not say so itself: those that know what is wrong mostly know nothing of the component.

import { CdcError, type CdcErrorOptions } from '../sdk/index.ts';

/** `where`: `source "orders"`. */
export function located(error: CdcError, where: string): CdcError {
  if (error.where !== null) return error;
  const options: CdcErrorOptions = { where, retriable: error.retriable, cause: error.cause };
  return new CdcError(error.code, error.message, error.fix === null ? options : { ...options, fix: error.fix });
}
