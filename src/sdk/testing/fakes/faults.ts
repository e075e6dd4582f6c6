// Failures on request. One object per fake system; tests and the simulator set its fields.

import { CdcError, type ChangeEvent } from '../../index.ts';

export class Faults {
  /** The system does not answer: every call fails and may be tried again. */
  down = false;
  /** Events that the destination refuses for good. */
  rejects: (event: ChangeEvent) => boolean = () => false;
  /** Replies to lose, one per write: the connection breaks after the commit, or just before it. */
  readonly lostReplies: ('after_commit' | 'before_commit')[] = [];

  assertUp(what: string, code: 'SOURCE_UNREACHABLE' | 'DESTINATION_UNREACHABLE'): void {
    if (this.down) throw new CdcError(code, `${what} does not answer`, { retriable: true, fix: 'Start it.' });
  }
}

export function rejected(event: ChangeEvent): CdcError {
  return new CdcError('DESTINATION_EVENT_REJECTED', `the event at ${event.position} is refused`, { fix: 'Look at the dead letter.' });
}
