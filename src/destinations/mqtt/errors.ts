// What went wrong at the destination, decided here and only here: a problem of the driver or the broker becomes a `CdcError`.

import { CdcError, type ErrorCode } from '../../sdk/index.ts';
import { located } from '../../systems/located.ts';
import { type ProblemKind, problemOf } from '../../systems/mqtt/driver-errors.ts';

interface Meaning {
  readonly code: ErrorCode;
  readonly retriable: boolean;
  readonly what: string;
  readonly fix: string;
}

const AWAY: Omit<Meaning, 'what'> = { code: 'DESTINATION_UNREACHABLE', retriable: true, fix: 'Start it, or correct its address.' };

const MEANINGS: Readonly<Record<ProblemKind, Meaning>> = {
  unreachable: { ...AWAY, what: 'cannot be reached' },
  // It holds no point to read back: what was under way is sent again.
  broken: { ...AWAY, what: 'closed the connection' },
  away: { ...AWAY, what: 'takes no messages now', fix: 'Look at the log of the broker, and at its quotas.' },
  certificate: {
    code: 'DESTINATION_FORBIDDEN',
    retriable: false,
    what: 'shows a certificate that is not accepted',
    fix: 'Set `tls.ca` to the certificate of its authority, and `broker` to a name in the certificate.',
  },
  our_certificate: {
    code: 'DESTINATION_FORBIDDEN',
    retriable: false,
    what: 'does not accept the certificate that we show, or lack',
    fix: 'Set `tls.cert` and `tls.key` to the files of one that it trusts.',
  },
  certificate_file: { code: 'DESTINATION_MISCONFIGURED', retriable: false, what: 'was not called', fix: 'Correct the path under `tls`.' },
  login: { code: 'DESTINATION_FORBIDDEN', retriable: false, what: 'refuses the login', fix: 'Check `username` and `password`.' },
  permission: {
    code: 'DESTINATION_FORBIDDEN',
    retriable: false,
    what: 'refuses a message',
    fix: 'Grant the user the right to write the topics.',
  },
  client_id: { code: 'DESTINATION_MISCONFIGURED', retriable: false, what: 'refuses the client id', fix: 'Choose another `client_id`.' },
  version: {
    code: 'DESTINATION_MISCONFIGURED',
    retriable: false,
    what: 'does not speak this version of MQTT',
    fix: "Set `protocol_version: '3.1.1'`.",
  },
  taken_over: { ...AWAY, what: 'gave our place to another client of the same id', fix: 'Leave `client_id` out, or make it unique.' },
  refused_message: {
    code: 'DESTINATION_EVENT_REJECTED',
    retriable: false,
    what: 'refuses a message',
    fix: 'Correct its topic, or leave out large columns.',
  },
  other: { code: 'DESTINATION_FAILED', retriable: true, what: 'refuses to go on', fix: 'Look at the log of the broker.' },
};

/** Any error of a call as a `CdcError`. */
export function classify(error: unknown, server: string, where: string): CdcError {
  if (error instanceof CdcError) return located(error, where);
  const { kind, detail } = problemOf(error),
    { code, retriable, what, fix } = MEANINGS[kind];
  return new CdcError(code, `The MQTT broker at ${server} ${what}: ${detail}.`, { where, retriable, fix, cause: error });
}

export function stopped(where: string): CdcError {
  return new CdcError('DESTINATION_FAILED', 'Stopped before the batch was acknowledged.', { where, retriable: true });
}
