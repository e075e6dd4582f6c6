// What went wrong at the source, decided here and only here: a problem of the driver or the server becomes a `CdcError`.

import { CdcError, type ErrorCode } from '../../sdk/index.ts';
import { type ProblemKind, problemOf, withoutCommand } from '../../systems/redis/driver-errors.ts';

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
  away: {
    ...AWAY,
    what: 'does not serve the group now',
    fix: 'Connect to a master that is up; with Sentinel write `sentinel`, with a cluster `cluster`.',
  },
  certificate: {
    code: 'SOURCE_FORBIDDEN',
    retriable: false,
    what: 'shows a certificate that is not accepted',
    fix: 'Set `tls.ca` to the certificate of its authority, and `host` to a name in the certificate.',
  },
  certificate_file: { code: 'SOURCE_MISCONFIGURED', retriable: false, what: 'was not called', fix: 'Correct the path under `tls`.' },
  login: { code: 'SOURCE_FORBIDDEN', retriable: false, what: 'refuses the login', fix: 'Check `username` and `password`.' },
  permission: {
    code: 'SOURCE_FORBIDDEN',
    retriable: false,
    what: 'refuses a command',
    fix: 'Grant the user the commands and keys that the README of the source lists (ACL SETUSER).',
  },
  full: { code: 'SOURCE_FAILED', retriable: true, what: 'has no room', fix: 'Raise maxmemory of the server, or free disk space.' },
  wrong_type: {
    code: 'SOURCE_MISCONFIGURED',
    retriable: false,
    what: 'has something else than a stream there',
    fix: 'Correct `stream_name`.',
  },
  cross_slot: { code: 'SOURCE_FAILED', retriable: false, what: 'has keys on several nodes', fix: 'Report this.' },
  no_group: {
    code: 'SOURCE_FAILED',
    retriable: true,
    what: 'has lost the consumer group',
    fix: 'Find out who removed the stream or the group.',
  },
  other: { code: 'SOURCE_FAILED', retriable: false, what: 'refuses to read', fix: 'Look at the log of the server.' },
};

/** Any error of a call as a `CdcError`. */
export function classify(error: unknown, server: string, where: string): CdcError {
  if (error instanceof CdcError) return error;
  const { kind, detail } = problemOf(error),
    { code, retriable, what, fix } = MEANINGS[kind];
  return new CdcError(code, `Redis at ${server} ${what}: ${detail}.`, { where, retriable, fix, cause: withoutCommand(error) });
}
