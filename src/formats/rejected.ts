// A value that its schema does not take, as an error of its event.

import { CdcError } from '../sdk/index.ts';
import type { Unfit } from './unfit.ts';

export function rejected(error: Unfit, where: string): CdcError {
  const what = error.field === '' ? 'The row' : `The column "${error.field}"`;
  return new CdcError('DESTINATION_EVENT_REJECTED', `${what} cannot be written: ${error.message}.`, {
    where,
    fix: 'Correct the value at its source, change it by a transformer, or use message_format: json.',
  });
}
