// What went wrong at a NATS source, decided here and only here: a problem of the driver or the server becomes a `CdcError`.

import { CdcError, type ErrorCode } from '../../sdk/index.ts';
import { located } from '../../systems/located.ts';
import { type ProblemKind, problemOf } from '../../systems/nats/driver-errors.ts';

interface Meaning {
  readonly code: ErrorCode;
  readonly retriable: boolean;
  readonly what: string;
  readonly fix: string;
}

const LOOK = 'Look at the log of the server.';
const AWAY: Omit<Meaning, 'what'> = { code: 'SOURCE_UNREACHABLE', retriable: true, fix: 'Start it, or correct `servers`.' };
const OTHER: Meaning = { code: 'SOURCE_FAILED', retriable: true, what: 'refuses to deliver', fix: LOOK };

const MEANINGS: Readonly<Record<ProblemKind, Meaning>> = {
  unreachable: { ...AWAY, what: 'cannot be reached' },
  broken: { ...AWAY, what: 'broke off, or did not answer' },
  away: { ...AWAY, what: 'does not serve the stream now', fix: 'See that JetStream is on and has a leader.' },
  certificate: {
    code: 'SOURCE_FORBIDDEN',
    retriable: false,
    what: 'shows a certificate that is not accepted, or wants one',
    fix: 'Set `tls.ca` to the certificate of its authority, and `servers` to a name in the certificate.',
  },
  certificate_file: { code: 'SOURCE_MISCONFIGURED', retriable: false, what: 'was not called', fix: 'Correct the path.' },
  login: {
    code: 'SOURCE_FORBIDDEN',
    retriable: false,
    what: 'refuses the login',
    fix: 'Check `username` and `password`, `token`, `nkey` or `creds`.',
  },
  permission: {
    code: 'SOURCE_FORBIDDEN',
    retriable: false,
    what: 'refuses a subject',
    fix: 'Allow the user the subjects that the README of the source lists.',
  },
  other_cluster: {
    code: 'SOURCE_MISCONFIGURED',
    retriable: false,
    what: 'is another cluster than `cluster_id` says',
    fix: 'Correct `servers` or `cluster_id`.',
  },
  no_jetstream: {
    code: 'SOURCE_MISCONFIGURED',
    // Of a cluster without a leader the same is heard.
    retriable: true,
    what: 'has no JetStream',
    fix: 'Switch it on at the server (`nats-server -js`), or set `mode: core`, which is at-most-once.',
  },
  no_stream: { code: 'SOURCE_MISCONFIGURED', retriable: true, what: 'has no such stream', fix: 'Create it, or set `create_stream: true`.' },
  no_consumer: {
    code: 'SOURCE_FAILED',
    retriable: true,
    what: 'has lost the consumer',
    fix: 'Find out who removed the consumer or the stream.',
  },
  misconfigured: {
    code: 'SOURCE_MISCONFIGURED',
    retriable: false,
    what: 'refuses the consumer or the stream',
    fix: 'Correct `subject`, `stream` and `durable_name`.',
  },
  full: { code: 'SOURCE_FAILED', retriable: true, what: 'has no room', fix: 'Raise the limits of the account.' },
  too_large: OTHER,
  wrong_sequence: OTHER,
  duplicate: OTHER,
  no_atomic: OTHER,
  other: OTHER,
};

/** Any error of a call as a `CdcError`. */
export function classify(error: unknown, server: string, where: string): CdcError {
  if (error instanceof CdcError) return located(error, where);
  const { kind, detail } = problemOf(error),
    { code, retriable, what, fix } = MEANINGS[kind];
  return new CdcError(code, `NATS at ${server} ${what}: ${detail}.`, { where, retriable, fix, cause: error });
}
