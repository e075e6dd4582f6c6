// What went wrong at the destination, decided here and only here: a problem of the driver or the server becomes a `CdcError`.

import { CdcError, type ErrorCode } from '../../sdk/index.ts';
import { located } from '../../systems/located.ts';
import { type ProblemKind, problemOf } from '../../systems/rabbitmq/driver-errors.ts';
import { NackError } from './publisher.ts';

interface Meaning {
  readonly code: ErrorCode;
  readonly retriable: boolean;
  readonly what: string;
  readonly fix: string;
}

const AWAY: Omit<Meaning, 'what'> = { code: 'DESTINATION_UNREACHABLE', retriable: true, fix: 'Start it, or correct its address.' };
const WRONG: Omit<Meaning, 'what' | 'fix'> = { code: 'DESTINATION_MISCONFIGURED', retriable: false };

const MEANINGS: Readonly<Record<ProblemKind, Meaning>> = {
  unreachable: { ...AWAY, what: 'cannot be reached' },
  // It holds no point to read back: what was under way is sent again.
  broken: { ...AWAY, what: 'closed the connection' },
  away: { ...AWAY, what: 'does not serve us now', fix: 'Look at the log of the server.' },
  certificate: {
    code: 'DESTINATION_FORBIDDEN',
    retriable: false,
    what: 'shows a certificate that is not accepted',
    fix: 'Set `tls.ca` to the certificate of its authority, and `host` to a name in the certificate.',
  },
  our_certificate: {
    code: 'DESTINATION_FORBIDDEN',
    retriable: false,
    what: 'does not accept the certificate that we show, or lack',
    fix: 'Set `tls.cert` and `tls.key` to the files of one that it trusts.',
  },
  certificate_file: { ...WRONG, what: 'was not called', fix: 'Correct the path under `tls`.' },
  login: {
    code: 'DESTINATION_FORBIDDEN',
    retriable: false,
    what: 'refuses the login',
    fix: 'Check `username`, `password` and `vhost`; the user guest may log in from the machine of the server only.',
  },
  vhost: {
    code: 'DESTINATION_FORBIDDEN',
    retriable: false,
    what: 'refuses what is asked for',
    fix: 'Check `vhost`, and grant the user permissions in it (rabbitmqctl set_permissions).',
  },
  permission: {
    code: 'DESTINATION_FORBIDDEN',
    retriable: false,
    what: 'refuses a permission',
    fix: 'Grant the user what the README of the destination lists (rabbitmqctl set_permissions).',
  },
  missing: { ...WRONG, what: 'lacks something', fix: 'Make it, or set `declare: true`.' },
  in_use: { ...AWAY, what: 'has the queue locked for another', fix: 'End the other user of the queue, or name another queue.' },
  conflict: { ...WRONG, what: 'has something else there', fix: 'Remove what is there, or leave it as it is with `declare: false`.' },
  too_large: {
    code: 'DESTINATION_EVENT_REJECTED',
    retriable: false,
    what: 'refuses the size of a message',
    fix: 'Leave out large columns, or raise max_message_size of the server.',
  },
  other: { code: 'DESTINATION_FAILED', retriable: false, what: 'refuses to write', fix: 'Look at the log of the server.' },
};

export interface Circumstances {
  readonly server: string;
  readonly where: string;
  /** We make what is missing when we connect again. */
  readonly declares: boolean;
}

/** Any error of a call as a `CdcError`. */
export function classify(error: unknown, { server, where, declares }: Circumstances): CdcError {
  if (error instanceof CdcError) return located(error, where);
  if (error instanceof NackError)
    return new CdcError('DESTINATION_FULL', `RabbitMQ at ${server}: ${error.message}.`, {
      where,
      retriable: true,
      fix: 'Read from the full queue, or raise its limits (max-length).',
      cause: error,
    });
  const { kind, detail } = problemOf(error),
    { code, retriable, what, fix } = MEANINGS[kind];
  return new CdcError(code, `RabbitMQ at ${server} ${what}: ${detail}.`, {
    where,
    retriable: retriable || (kind === 'missing' && declares),
    fix,
    cause: error,
  });
}

export function stopped(where: string): CdcError {
  return new CdcError('DESTINATION_FAILED', 'Stopped before the batch was confirmed.', { where, retriable: true });
}
