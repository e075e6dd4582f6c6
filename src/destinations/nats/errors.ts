// What went wrong at a NATS destination, and whether trying again can help: decided here and only here.

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

const MEANINGS: Readonly<Record<ProblemKind, Meaning>> = {
  unreachable: {
    code: 'DESTINATION_UNREACHABLE',
    retriable: true,
    what: 'cannot be reached',
    fix: 'Start it, or correct `servers`.',
  },
  broken: {
    code: 'DESTINATION_OUTCOME_UNKNOWN',
    retriable: true,
    what: 'broke off, or did not answer, while it was at work',
    fix: LOOK,
  },
  certificate: {
    code: 'DESTINATION_FORBIDDEN',
    retriable: false,
    what: 'shows a certificate that is not accepted, or wants one',
    fix: 'Set `tls.ca` to the certificate of its authority, and `servers` to a name in the certificate.',
  },
  certificate_file: { code: 'DESTINATION_MISCONFIGURED', retriable: false, what: 'was not called', fix: 'Correct the path.' },
  login: {
    code: 'DESTINATION_FORBIDDEN',
    retriable: false,
    what: 'refuses the login',
    fix: 'Check `username` and `password`, `token`, `nkey` or `creds`.',
  },
  permission: {
    code: 'DESTINATION_FORBIDDEN',
    retriable: false,
    what: 'refuses a subject',
    fix: 'Allow the user the subjects that the README of the destination lists.',
  },
  other_cluster: {
    code: 'DESTINATION_MISCONFIGURED',
    retriable: false,
    what: 'is another cluster than `cluster_id` says',
    fix: 'Correct `servers` or `cluster_id`.',
  },
  no_jetstream: {
    code: 'DESTINATION_MISCONFIGURED',
    // Of a cluster without a leader the same is heard.
    retriable: true,
    what: 'has no JetStream',
    fix: 'Switch it on at the server (`nats-server -js`), and for the account.',
  },
  no_stream: {
    code: 'DESTINATION_MISCONFIGURED',
    retriable: true,
    what: 'has no such stream',
    fix: 'Create it, or set `create_stream: true`.',
  },
  no_consumer: { code: 'DESTINATION_FAILED', retriable: false, what: 'misses a consumer', fix: LOOK },
  misconfigured: {
    code: 'DESTINATION_MISCONFIGURED',
    retriable: false,
    what: 'refuses the stream',
    fix: 'Correct `stream`, `subject` and `stream_defaults`.',
  },
  full: {
    code: 'DESTINATION_FULL',
    retriable: true,
    what: 'has no room',
    fix: 'Raise the limits of the stream or the account, or let it discard old messages.',
  },
  too_large: {
    code: 'DESTINATION_EVENT_REJECTED',
    retriable: false,
    what: 'takes no message of that size',
    fix: 'Leave out large columns, or raise max_payload of the server and max_msg_size of the stream.',
  },
  wrong_sequence: {
    code: 'DESTINATION_FENCED',
    retriable: false,
    what: 'holds another place than this run has stored',
    fix: 'Make sure that only one process runs this pipeline, then start it again.',
  },
  duplicate: { code: 'DESTINATION_FAILED', retriable: true, what: 'knows an id already', fix: LOOK },
  no_atomic: {
    code: 'DESTINATION_MISCONFIGURED',
    retriable: false,
    what: 'takes no atomic batches',
    fix: 'Set allow_atomic on the stream, `create_stream: true`, or `atomic: false`.',
  },
  away: {
    code: 'DESTINATION_UNREACHABLE',
    retriable: true,
    what: 'does not take messages now',
    fix: 'See that JetStream is on and has a leader, and that the stream takes the subject.',
  },
  other: { code: 'DESTINATION_FAILED', retriable: true, what: 'refuses', fix: LOOK },
};

/** Any error of a call as a `CdcError`. `isWrite`: its loss leaves the outcome unknown; else nothing can have been done. */
export function classify(error: unknown, server: string, where: string, isWrite: boolean): CdcError {
  if (error instanceof CdcError) return located(error, where);
  if ((error as { name?: unknown } | null)?.name === 'AbortError')
    return new CdcError('DESTINATION_FAILED', 'Stopped before the batch was stored.', { where, retriable: true, cause: error });
  const { kind, detail } = problemOf(error),
    { code, retriable, what, fix } = MEANINGS[kind === 'broken' && !isWrite ? 'unreachable' : kind];
  return new CdcError(code, `NATS at ${server} ${what}: ${detail}.`, { where, fix, retriable, cause: error });
}

export const rejected = (message: string, fix: string): CdcError => new CdcError('DESTINATION_EVENT_REJECTED', message, { fix });

export const fenced = (message: string): CdcError => new CdcError('DESTINATION_FENCED', message, { fix: MEANINGS.wrong_sequence.fix });
