// What went wrong at the source, decided here and only here: a problem of the driver or the server becomes a `CdcError`.

import { CdcError, type ErrorCode } from '../../sdk/index.ts';
import { located } from '../../systems/located.ts';
import { type ProblemKind, problemOf } from '../../systems/rabbitmq/driver-errors.ts';

interface Meaning {
  readonly code: ErrorCode;
  readonly retriable: boolean;
  readonly what: string;
  readonly fix: string;
}

const AWAY: Omit<Meaning, 'what'> = { code: 'SOURCE_UNREACHABLE', retriable: true, fix: 'Start it, or correct its address.' };
const WRONG: Omit<Meaning, 'what' | 'fix'> = { code: 'SOURCE_MISCONFIGURED', retriable: false };

const MEANINGS: Readonly<Record<ProblemKind, Meaning>> = {
  unreachable: { ...AWAY, what: 'cannot be reached' },
  broken: { ...AWAY, what: 'closed the connection' },
  away: { ...AWAY, what: 'does not serve us now', fix: 'Look at the log of the server.' },
  certificate: {
    code: 'SOURCE_FORBIDDEN',
    retriable: false,
    what: 'shows a certificate that is not accepted',
    fix: 'Set `tls.ca` to the certificate of its authority, and `host` to a name in the certificate.',
  },
  our_certificate: {
    code: 'SOURCE_FORBIDDEN',
    retriable: false,
    what: 'does not accept the certificate that we show, or lack',
    fix: 'Set `tls.cert` and `tls.key` to the files of one that it trusts.',
  },
  certificate_file: { ...WRONG, what: 'was not called', fix: 'Correct the path under `tls`.' },
  login: {
    code: 'SOURCE_FORBIDDEN',
    retriable: false,
    what: 'refuses the login',
    fix: 'Check `username`, `password` and `vhost`; the user guest may log in from the machine of the server only.',
  },
  vhost: {
    code: 'SOURCE_FORBIDDEN',
    retriable: false,
    what: 'refuses what is asked for',
    fix: 'Check `vhost`, and grant the user permissions in it (rabbitmqctl set_permissions).',
  },
  permission: {
    code: 'SOURCE_FORBIDDEN',
    retriable: false,
    what: 'refuses a permission',
    fix: 'Grant the user what the README of the source lists (rabbitmqctl set_permissions).',
  },
  missing: { ...WRONG, what: 'lacks something', fix: 'Make it, or set `declare: true`.' },
  in_use: {
    code: 'SOURCE_IN_USE',
    retriable: true,
    what: 'has the queue locked for another consumer',
    fix: 'End the other consumer, or read another queue.',
  },
  conflict: { ...WRONG, what: 'has something else there', fix: 'Remove what is there, or leave it as it is with `declare: false`.' },
  too_large: { code: 'SOURCE_FAILED', retriable: false, what: 'refuses the size', fix: 'Look at the log of the server.' },
  other: { code: 'SOURCE_FAILED', retriable: false, what: 'refuses to read', fix: 'Look at the log of the server.' },
};

/** Any error of a call as a `CdcError`. */
export function classify(error: unknown, server: string, where: string): CdcError {
  if (error instanceof CdcError) return located(error, where);
  const { kind, detail } = problemOf(error),
    { code, retriable, what, fix } = MEANINGS[kind];
  return new CdcError(code, `RabbitMQ at ${server} ${what}: ${detail}.`, { where, retriable, fix, cause: error });
}
