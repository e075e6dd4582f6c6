// What kind of error the driver threw: the server's word, the network, TLS, the login. What each means to a source or a
// destination is said in their `errors.ts`. By names, so that nothing of the driver is loaded for it.
// https://github.com/nats-io/nats-server/blob/main/server/errors.json

import { CertificateFileError, isCertificateError, NETWORK_CODES } from '../tls.ts';

/**
 * `broken`: the connection was lost, or no answer came, with a request under way, whose outcome is unknown. `away`: the server cannot
 * take it now (no leader, starting): nothing was done.
 */
export type ProblemKind =
  | 'unreachable'
  | 'broken'
  | 'certificate'
  | 'certificate_file'
  | 'login'
  | 'permission'
  | 'other_cluster'
  | 'no_jetstream'
  | 'no_stream'
  | 'no_consumer'
  | 'misconfigured'
  | 'full'
  | 'too_large'
  | 'wrong_sequence'
  | 'duplicate'
  | 'no_atomic'
  | 'away'
  | 'other';

export interface Problem {
  readonly kind: ProblemKind;
  /** For a message: the network's code, or the server's own words. */
  readonly detail: string;
}

/** A cluster has another message to the subject that it has not agreed upon, after a loss of its quorum for long: which is right is not known. */
const IN_PROCESS = 10_164;

/** Codes of the JetStream API. */
const CODES: Readonly<Partial<Record<ProblemKind, readonly number[]>>> = {
  full: [10_002, 10_023, 10_026, 10_027, 10_028, 10_047, 10_077, 10_122],
  away: [10_004, 10_005, 10_007, 10_008, 10_009, 10_118, 10_119, 10_163, IN_PROCESS, 10_167, 10_176, 10_194, 10_195, 10_210],
  no_consumer: [10_014, 10_149],
  no_stream: [10_059],
  no_jetstream: [10_039, 10_076],
  too_large: [10_054, 10_097],
  wrong_sequence: [10_071],
  duplicate: [10_201, 10_158],
  no_atomic: [10_174],
  // A stream or a consumer that cannot be made or used as it is asked for.
  misconfigured: [
    10_052, 10_058, 10_060, 10_065, 10_074, 10_084, 10_093, 10_094, 10_098, 10_099, 10_100, 10_101, 10_102, 10_109, 10_111, 10_113, 10_120,
    10_121, 10_125, 10_126, 10_134, 10_136, 10_138, 10_139, 10_166, 10_185, 10_199,
  ],
};

const BY_API_CODE: ReadonlyMap<number, ProblemKind> = new Map(
  Object.entries(CODES).flatMap(([kind, codes]) => codes.map((code) => [code, kind as ProblemKind])),
);

/** The connection could not be made: nothing was sent over it. */
export class ConnectError extends Error {
  override readonly name = 'ConnectError';
}

/** The connection is gone, for whatever reason but that the login is not good any more. */
export class ConnectionLostError extends Error {
  override readonly name = 'ConnectionLostError';
}

/** Why a connection is gone. */
export function lossOf(reason: unknown): Error {
  const { name, message } = reason instanceof Error ? reason : new Error('the connection was closed');
  return BY_NAME[name] === 'login' ? (reason as Error) : new ConnectionLostError(message, { cause: reason });
}

/** A server of another cluster than the one that was asked for. */
export class OtherClusterError extends Error {
  override readonly name = 'OtherClusterError';
}

/** An answer of JetStream that says no. */
export class ApiError extends Error {
  override readonly name = 'JetStreamApiError';
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

const BY_NAME: Readonly<Record<string, ProblemKind>> = {
  AuthorizationError: 'login',
  UserAuthenticationExpiredError: 'login',
  PermissionViolationError: 'permission',
  StreamNotFoundError: 'no_stream',
  ConsumerNotFoundError: 'no_consumer',
  OtherClusterError: 'other_cluster',
  ClosedConnectionError: 'broken',
  DrainingConnectionError: 'broken',
  ConnectionError: 'broken',
  ConnectionLostError: 'broken',
  TimeoutError: 'broken',
  RequestError: 'broken',
  ProtocolError: 'broken',
};

export function problemOf(error: unknown): Problem {
  if (error instanceof CertificateFileError) return { kind: 'certificate_file', detail: error.message };
  if (error instanceof ConnectError) return connectProblem(error.cause);
  const { name, message } = error instanceof Error ? error : { name: '', message: String(error) };
  if (name === 'JetStreamApiError') {
    const { code } = error as ApiError;
    return { kind: apiKind(error as ApiError), detail: code === IN_PROCESS ? 'another message to the subject is on its way' : message };
  }
  if (name === 'JetStreamNotEnabled') return { kind: 'no_jetstream', detail: 'nobody answers for its API' };
  if (isNoResponders(error)) return { kind: 'away', detail: 'nobody answers' };
  const code = codeOf(error);
  if (isCertificateError(code)) return { kind: 'certificate', detail: message };
  if (typeof code === 'string' && NETWORK_CODES.has(code)) return { kind: 'broken', detail: code };
  const permission = permissionBehind(error);
  if (permission !== null) return { kind: 'permission', detail: permission };
  return { kind: BY_NAME[name] ?? 'other', detail: message };
}

/** The driver wraps what it was told. */
function connectProblem(cause: unknown): Problem {
  for (let error: unknown = cause, depth = 0; error instanceof Error && depth < 4; error = error.cause, depth++) {
    const { kind, detail } = problemOf(error);
    if (/secure connection|tls|certificate/i.test(error.message) && kind === 'other') return { kind: 'certificate', detail: error.message };
    if (kind !== 'broken' && kind !== 'other' && kind !== 'away') return { kind, detail };
  }
  const { detail } = problemOf(cause);
  return { kind: 'unreachable', detail };
}

function apiKind({ code, message }: ApiError): ProblemKind {
  if (/too large|maximum.*size/i.test(message) && code === 10_077) return 'too_large';
  return BY_API_CODE.get(code) ?? 'other';
}

/** Nobody was there to say no. */
export const isUnreachable = (error: ConnectError): boolean => problemOf(error).kind === 'unreachable';

/** A stream of that name is there, with other settings than the one that was to be made. */
export const isNameTaken = (error: unknown): boolean =>
  error instanceof Error && error.name === 'JetStreamApiError' && (error as ApiError).code === 10_058;

/** Nobody listens to the subject of a request: JetStream is off, or has no leader. */
function isNoResponders(error: unknown): boolean {
  for (let e: unknown = error, depth = 0; e instanceof Error && depth < 4; e = e.cause, depth++)
    if (e.name.startsWith('NoResponders')) return true;
  return false;
}

function permissionBehind(error: unknown): string | null {
  for (let e: unknown = error, depth = 0; e instanceof Error && depth < 4; e = e.cause, depth++)
    if (e.name === 'PermissionViolationError') return e.message;
  return null;
}

function codeOf(error: unknown): unknown {
  for (let e: unknown = error, depth = 0; e instanceof Error && depth < 4; e = e.cause, depth++)
    if (typeof (e as { code?: unknown }).code === 'string') return (e as { code?: unknown }).code;
  return undefined;
}
