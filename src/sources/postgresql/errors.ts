// What went wrong at a PostgreSQL source, and whether trying again can help: decided here and only here.
// https://www.postgresql.org/docs/current/errcodes-appendix.html

import { CdcError, type ErrorCode } from '../../sdk/index.ts';
import { driverProblem, isServerError, type ServerError } from '../../systems/postgresql/driver-errors.ts';
import { FrameError } from './replication/frames.ts';

/** What an error belongs to. `server` is `host:port/database`; `where` the component. */
export interface ErrorPlace {
  readonly server: string;
  readonly where: string;
  readonly slot?: string;
}

interface Meaning {
  readonly code: ErrorCode;
  readonly retriable: boolean;
  readonly fix?: string;
}

const retry = (code: ErrorCode, fix?: string): Meaning => ({ code, retriable: true, ...(fix === undefined ? {} : { fix }) });
const stop = (code: ErrorCode, fix: string): Meaning => ({ code, retriable: false, fix });

const READ_AGAIN = 'Set `snapshot_mode: when_needed` to read everything again, or drop the state of the pipeline and start it anew.';
/** Changes are read as the catalog was when they were made: one that is made again does not help with those of before. */
const MISSING_PUBLICATION =
  'Create the publication, or set `publication.create: true`; if it is there, it was made anew, and what was written before it is lost: drop the slot and set `snapshot_mode: when_needed`.';
export const SET_WAL_LEVEL = 'Run: ALTER SYSTEM SET wal_level = logical; and restart the server.';

/**
 * Longer keys win: `57P04` before `57`; `state:routine` before both. Routines are functions of the server; they tell errors
 * apart that share an SQLSTATE, and are not translated. What is not listed is `SOURCE_FAILED` and not tried again.
 */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  '08': retry('SOURCE_UNREACHABLE'),
  '0A': stop('SOURCE_MISCONFIGURED', 'Compare the version and the role (primary, standby) of the server with what this source needs.'),
  '22': stop('SOURCE_DATA_INVALID', 'Correct the value at the source, or leave the column out by `columns.exclude`.'),
  '25006': stop('SOURCE_MISCONFIGURED', 'Connect to the primary: this server is read-only.'),
  '25P03': retry('SOURCE_FAILED'),
  '28': stop('SOURCE_FORBIDDEN', 'Check `username`, `password`, `ssl_mode` and pg_hba.conf of the server.'),
  '3D000': stop('SOURCE_MISCONFIGURED', 'Create the database, or correct `database`.'),
  '40': retry('SOURCE_FAILED'),
  '42': stop('SOURCE_MISCONFIGURED', 'Compare `tables`, `columns`, `query` and `snapshot.where` with the database.'),
  '42501': stop('SOURCE_FORBIDDEN', 'Grant the missing privilege to the role; `cdc-run plan` looks at them all.'),
  '42704': stop('SOURCE_MISCONFIGURED', 'Create what is missing, or correct its name.'),
  // Slots: a name that is not there, or one that cannot be read any more.
  '42704:ReplicationSlotAcquire': stop('SOURCE_POSITION_GONE', READ_AGAIN),
  '42704:ReplicationSlotAcquireInternal': stop('SOURCE_POSITION_GONE', READ_AGAIN),
  '42704:get_publication_oid': stop('SOURCE_MISCONFIGURED', MISSING_PUBLICATION),
  // Two of us made the same thing at once: the next try finds it.
  '42710': retry('SOURCE_FAILED'),
  '53': retry('SOURCE_FAILED'),
  '53100': retry('SOURCE_FAILED', 'Free disk space on the server.'),
  '53300': retry('SOURCE_UNREACHABLE', 'Raise max_connections or max_wal_senders of the server.'),
  '53400': stop('SOURCE_MISCONFIGURED', 'Raise max_replication_slots of the server, or drop slots that nobody uses.'),
  '55': retry('SOURCE_FAILED'),
  '55000': stop('SOURCE_FAILED', 'Look into the log of the server.'),
  '55000:CheckLogicalDecodingRequirements': stop('SOURCE_MISCONFIGURED', SET_WAL_LEVEL),
  '55000:CheckSlotRequirements': stop(
    'SOURCE_MISCONFIGURED',
    'Set max_replication_slots of the server above zero, and wal_level to logical.',
  ),
  '55000:LoadPublications': stop('SOURCE_MISCONFIGURED', MISSING_PUBLICATION),
  '55000:StartLogicalReplication': stop('SOURCE_POSITION_GONE', READ_AGAIN),
  '55000:CreateDecodingContext': stop('SOURCE_POSITION_GONE', READ_AGAIN),
  '55000:ReplicationSlotAcquire': stop('SOURCE_POSITION_GONE', READ_AGAIN),
  '55000:RaiseSlotInvalidationError': stop('SOURCE_POSITION_GONE', READ_AGAIN),
  '55006': retry('SOURCE_IN_USE', 'Stop the other reader, or choose another `slot_name`.'),
  '55P03': retry('SOURCE_FAILED', 'Raise `lock_timeout`, or wait until the other session is done.'),
  '57': retry('SOURCE_UNREACHABLE'),
  '57014': retry('SOURCE_FAILED', 'Raise `statement_timeout`, or make chunks smaller.'),
  '57P04': stop('SOURCE_MISCONFIGURED', 'Create the database again, or correct `database`.'),
  '58': retry('SOURCE_FAILED'),
  // "requested WAL segment … has already been removed".
  '58P01': stop('SOURCE_POSITION_GONE', READ_AGAIN),
  F0: retry('SOURCE_FAILED'),
  XX: retry('SOURCE_FAILED'),
  XX001: stop('SOURCE_FAILED', 'The server says that its data is damaged: look into its log.'),
  XX002: stop('SOURCE_FAILED', 'The server says that an index is damaged: look into its log.'),
};

function meaningOf({ code, routine }: ServerError): Meaning {
  return (
    MEANINGS[`${code}:${routine ?? ''}`] ?? MEANINGS[code] ?? MEANINGS[code.slice(0, 2)] ?? { code: 'SOURCE_FAILED', retriable: false }
  );
}

/** Any error of a call as a `CdcError`. One that is one already keeps its own place. */
export function sourceError(error: unknown, place: ErrorPlace): CdcError {
  if (error instanceof CdcError) return error;
  if (isServerError(error)) return serverError(error, place);
  if (error instanceof FrameError) {
    return new CdcError('SOURCE_DATA_INVALID', `PostgreSQL at ${place.server} sent what is no message: ${error.message}.`, {
      where: place.where,
      fix: 'Check what stands between here and the server: it changes the bytes.',
      cause: error,
    });
  }
  return driverError(error, place);
}

function serverError(error: ServerError, { server, where, slot }: ErrorPlace): CdcError {
  const { code, retriable, fix } = meaningOf(error);
  const about = slot === undefined ? '' : ` (slot "${slot}")`;
  // Errors about values quote them after a colon; they are data, so they stay out, and the error is no cause.
  const isAboutData = /^(22|P0)/.test(error.code);
  const text = isAboutData ? error.message.replace(/[:"].*$/s, '').trim() : error.message;
  return new CdcError(code, `PostgreSQL at ${server}${about}: ${text} (SQLSTATE ${error.code}).`, {
    where,
    retriable,
    ...(fix === undefined ? {} : { fix }),
    ...(isAboutData ? {} : { cause: error }),
  });
}

function driverError(error: unknown, { server, where }: ErrorPlace): CdcError {
  const { kind, detail } = driverProblem(error);
  switch (kind) {
    case 'unreachable':
      return unreachable(server, where, detail, error);
    case 'no_encryption':
      return new CdcError('SOURCE_MISCONFIGURED', `PostgreSQL at ${server} offers no encryption.`, {
        where,
        fix: 'Switch TLS on at the server, or set `ssl_mode: disable`.',
        cause: error,
      });
    case 'certificate':
      return new CdcError('SOURCE_FORBIDDEN', `The certificate of PostgreSQL at ${server} is not accepted: ${detail}.`, {
        where,
        fix: 'Set `ssl.ca` to the certificate of its authority, and `host` to a name in the certificate.',
        cause: error,
      });
    case 'certificate_file':
      return new CdcError('SOURCE_MISCONFIGURED', detail, { where, fix: 'Correct the path under `ssl`.', cause: error });
    case 'login':
      return new CdcError('SOURCE_FORBIDDEN', `The login at ${server} failed: ${detail}.`, {
        where,
        fix: 'Set `password`, or PGPASSWORD.',
      });
    case 'other':
      return new CdcError('SOURCE_FAILED', `Reading from PostgreSQL at ${server} failed: ${detail}.`, { where, cause: error });
  }
}

export function unreachable(server: string, where: string, why: string, cause?: unknown): CdcError {
  return new CdcError('SOURCE_UNREACHABLE', `PostgreSQL at ${server} cannot be reached: ${why}.`, {
    where,
    fix: 'Check that the server runs, and `host` and `port`.',
    retriable: true,
    cause,
  });
}

/** The slot cannot serve us any more: what was in between is lost. `why` is the server's reason. */
export function slotLost(slot: string, why: string, where: string): CdcError {
  return new CdcError('SOURCE_POSITION_GONE', `The replication slot "${slot}" is lost: ${why}.`, { where, fix: READ_AGAIN });
}

/** What was written while there was no publication cannot be decoded any more, by no slot that was made before. */
export function publicationLost(publication: string, what: string, where: string, retriable: boolean): CdcError {
  return new CdcError(retriable ? 'SOURCE_FAILED' : 'SOURCE_POSITION_GONE', `The publication "${publication}" is lost: ${what}.`, {
    where,
    fix: READ_AGAIN,
    retriable,
  });
}
