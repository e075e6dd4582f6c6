// What went wrong at the source, decided here and only here: a problem of the driver or the broker becomes a `CdcError`.

import { CdcError, type ErrorCode } from '../../sdk/index.ts';
import { located } from '../../systems/located.ts';
import { type ProblemKind, problemOf } from '../../systems/mqtt/driver-errors.ts';

interface Meaning {
  readonly code: ErrorCode;
  readonly retriable: boolean;
  readonly what: string;
  readonly fix: string;
}

const AWAY: Omit<Meaning, 'what'> = { code: 'SOURCE_UNREACHABLE', retriable: true, fix: 'Start it, or correct its address.' };

const MEANINGS: Readonly<Record<ProblemKind, Meaning>> = {
  unreachable: { ...AWAY, what: 'cannot be reached' },
  broken: { ...AWAY, what: 'closed the connection' },
  away: { ...AWAY, what: 'does not serve us now', fix: 'Look at the log of the broker.' },
  certificate: {
    code: 'SOURCE_FORBIDDEN',
    retriable: false,
    what: 'shows a certificate that is not accepted',
    fix: 'Set `tls.ca` to the certificate of its authority, and `broker` to a name in the certificate.',
  },
  our_certificate: {
    code: 'SOURCE_FORBIDDEN',
    retriable: false,
    what: 'does not accept the certificate that we show, or lack',
    fix: 'Set `tls.cert` and `tls.key` to the files of one that it trusts.',
  },
  certificate_file: { code: 'SOURCE_MISCONFIGURED', retriable: false, what: 'was not called', fix: 'Correct the path under `tls`.' },
  login: { code: 'SOURCE_FORBIDDEN', retriable: false, what: 'refuses the login', fix: 'Check `username` and `password`.' },
  permission: {
    code: 'SOURCE_FORBIDDEN',
    retriable: false,
    what: 'refuses a subscription',
    fix: 'Grant the user the right to read the topics.',
  },
  client_id: { code: 'SOURCE_MISCONFIGURED', retriable: false, what: 'refuses the client id', fix: 'Choose another `client_id`.' },
  version: {
    code: 'SOURCE_MISCONFIGURED',
    retriable: false,
    what: 'does not speak this version of MQTT',
    fix: "Set `protocol_version: '3.1.1'`.",
  },
  taken_over: {
    code: 'SOURCE_IN_USE',
    retriable: true,
    what: 'gave our session to another client of the same id',
    fix: 'Give each process a `client_id` of its own.',
  },
  refused_message: { code: 'SOURCE_FAILED', retriable: false, what: 'refuses a packet', fix: 'Look at the log of the broker.' },
  other: { code: 'SOURCE_FAILED', retriable: true, what: 'refuses to go on', fix: 'Look at the log of the broker.' },
};

/** Any error of a call as a `CdcError`. */
export function classify(error: unknown, server: string, where: string): CdcError {
  if (error instanceof CdcError) return located(error, where);
  const { kind, detail } = problemOf(error),
    { code, retriable, what, fix } = MEANINGS[kind];
  return new CdcError(code, `The MQTT broker at ${server} ${what}: ${detail}.`, { where, retriable, fix, cause: error });
}
