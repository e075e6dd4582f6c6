// What went wrong at a destination, decided here and only here: a problem of the driver or the server becomes a `CdcError`.

import { CdcError, type ErrorCode } from '../../sdk/index.ts';
import { located } from '../located.ts';
import { type Problem, type ProblemKind, problemOf, withoutCommand } from './driver-errors.ts';

interface Meaning {
  readonly code: ErrorCode;
  readonly retriable: boolean;
  say(detail: string, server: string): string;
  readonly fix?: string;
}

const MEANINGS: Readonly<Record<ProblemKind, Meaning>> = {
  unreachable: {
    code: 'DESTINATION_UNREACHABLE',
    retriable: true,
    say: (detail, server) => `Redis at ${server} cannot be reached (${detail}).`,
    fix: 'Start it, or correct its address.',
  },
  broken: {
    code: 'DESTINATION_OUTCOME_UNKNOWN',
    retriable: true,
    say: (detail, server) => `The connection to Redis at ${server} broke while it was at work (${detail}).`,
  },
  certificate: {
    code: 'DESTINATION_FORBIDDEN',
    retriable: false,
    say: (detail, server) => `The certificate of Redis at ${server} is not accepted: ${detail}.`,
    fix: 'Set `tls.ca` to the certificate of its authority, and `host` to a name in the certificate.',
  },
  certificate_file: {
    code: 'DESTINATION_MISCONFIGURED',
    retriable: false,
    say: (detail) => detail,
    fix: 'Correct the path under `tls`.',
  },
  login: {
    code: 'DESTINATION_FORBIDDEN',
    retriable: false,
    say: (detail, server) => `Redis at ${server} refuses the login: ${detail}.`,
    fix: 'Check `username` and `password`.',
  },
  permission: {
    code: 'DESTINATION_FORBIDDEN',
    retriable: false,
    say: (detail, server) => `Redis at ${server}: a permission is missing: ${detail}.`,
    fix: 'Grant the user the commands and keys that the README of the destination lists (ACL SETUSER).',
  },
  away: {
    code: 'DESTINATION_UNREACHABLE',
    retriable: true,
    say: (detail, server) => `Redis at ${server} takes no writes now: ${detail}.`,
    fix: 'Connect to a master that is up; with Sentinel write `sentinel`, with a cluster `cluster`.',
  },
  full: {
    code: 'DESTINATION_FULL',
    retriable: true,
    say: (detail, server) => `Redis at ${server} has no room: ${detail}.`,
    fix: 'Raise maxmemory of the server or free disk space; trim streams by `max_length`, let keys vanish by `ttl`.',
  },
  wrong_type: {
    code: 'DESTINATION_MISCONFIGURED',
    retriable: false,
    say: (detail, server) => `Redis at ${server}: a key that we write is in use for something else: ${detail}.`,
    fix: 'Choose another name, or remove the key.',
  },
  cross_slot: {
    code: 'DESTINATION_MISCONFIGURED',
    retriable: false,
    say: (_, server) => `The keys of a batch lie on several nodes of ${server}.`,
    fix: 'Give them a hash tag: "{{cdc}}:{table}".',
  },
  no_group: { code: 'DESTINATION_FAILED', retriable: true, say: (detail, server) => `Redis at ${server}: ${detail}.` },
  other: {
    code: 'DESTINATION_FAILED',
    retriable: false,
    say: (detail, server) => `Writing to Redis at ${server} failed: ${detail}.`,
    fix: 'Look at the log of the server.',
  },
};

/** Any error of a call as a `CdcError`. `isWrite`: its loss leaves the outcome unknown; else nothing can have been done. */
export function classify(error: unknown, server: string, where: string, isWrite: boolean): CdcError {
  if (error instanceof CdcError) return located(error, where);
  if ((error as { name?: unknown } | null)?.name === 'AbortError') return stopped(where, error);
  const problem: Problem = problemOf(error);
  const cause = withoutCommand(error);
  const { code, retriable, say, fix } = MEANINGS[problem.kind === 'broken' && !isWrite ? 'unreachable' : problem.kind];
  return new CdcError(code, say(problem.detail, server), { where, retriable, cause, ...(fix === undefined ? {} : { fix }) });
}

export function stopped(where: string, cause: unknown): CdcError {
  return new CdcError('DESTINATION_FAILED', 'Stopped before the batch was sent.', { where, retriable: true, cause });
}
