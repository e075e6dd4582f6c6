// What kind of error the driver threw: the server's word, the network, TLS, the login. What each means to a source or a
// destination is said in their `errors.ts`. https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors

import { CertificateFileError, isCertificateError, NETWORK_CODES } from '../tls.ts';

/**
 * `broken`: the connection was lost with a command under way, whose outcome is unknown. `away`: the server cannot take it now (it
 * loads, is a replica, has no master, is busy with a script): nothing was done.
 */
export type ProblemKind =
  | 'unreachable'
  | 'broken'
  | 'certificate'
  | 'certificate_file'
  | 'login'
  | 'permission'
  | 'away'
  | 'full'
  | 'wrong_type'
  | 'cross_slot'
  | 'no_group'
  | 'other';

export interface Problem {
  readonly kind: ProblemKind;
  /** For a message: the network's code, or the server's own words. */
  readonly detail: string;
}

/** First words of the server's errors. */
const BY_CODE: Readonly<Record<string, ProblemKind>> = {
  NOAUTH: 'login',
  WRONGPASS: 'login',
  NOPERM: 'permission',
  OOM: 'full',
  WRONGTYPE: 'wrong_type',
  CROSSSLOT: 'cross_slot',
  NOGROUP: 'no_group',
  LOADING: 'away',
  READONLY: 'away',
  MASTERDOWN: 'away',
  BUSY: 'away',
  TRYAGAIN: 'away',
  CLUSTERDOWN: 'away',
  MOVED: 'away',
  ASK: 'away',
  NOREPLICAS: 'away',
  UNKILLABLE: 'away',
};

/** The server said it, as opposed to the network or the driver. */
export function isServerError(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError';
}

/** The connection could not be made: no command has been sent over it. */
export class ConnectError extends Error {
  override readonly name = 'ConnectError';
}

/**
 * The driver hangs the command with all its arguments, rows and passwords among them, on the error: nobody behind here may see, or
 * keep, them.
 */
export function withoutCommand(error: unknown): unknown {
  if (error instanceof Error && 'command' in error) delete error.command;
  if (error instanceof Error && error.cause !== undefined) withoutCommand(error.cause);
  return error;
}

export function problemOf(error: unknown): Problem {
  if (error instanceof ConnectError) {
    const inner = problemOf(error.cause);
    return inner.kind === 'broken' || inner.kind === 'other' ? { kind: 'unreachable', detail: inner.detail } : inner;
  }
  if (error instanceof CertificateFileError) return { kind: 'certificate_file', detail: error.message };
  const message = error instanceof Error ? error.message : String(error);
  if (isServerError(error)) return serverProblem(message);
  const code = (error as { code?: unknown } | null)?.code;
  if (isCertificateError(code)) return { kind: 'certificate', detail: message };
  if (typeof code === 'string' && NETWORK_CODES.has(code)) return { kind: 'broken', detail: code };
  if (
    /connection is closed|aborted due to connection close|writeable|writable|socket (timeout|closed)|timed? ?out|ETIMEDOUT|ECONN/i.test(
      message,
    )
  )
    return { kind: 'broken', detail: message };
  return { kind: 'other', detail: message };
}

function serverProblem(message: string): Problem {
  const detail = withoutData(message);
  // A refusal of a command within a script keeps its first word in some versions, and has it behind others in the rest.
  const kind = BY_CODE[message.split(' ', 1)[0] as string];
  if (kind !== undefined) return { kind, detail };
  if (/ACL failure in script|user executing the script can't|no permissions/i.test(message)) return { kind: 'permission', detail };
  if (/without any password configured|invalid password|invalid username-password|operation not permitted/i.test(message))
    return { kind: 'login', detail };
  if (/-?OOM |used memory > 'maxmemory'/.test(message)) return { kind: 'full', detail };
  if (/WRONGTYPE/.test(message)) return { kind: 'wrong_type', detail };
  if (/max number of clients reached/i.test(message)) return { kind: 'away', detail };
  if (/MISCONF/.test(message)) return { kind: 'full', detail };
  return { kind: 'other', detail };
}

/** The server quotes the first arguments of a command that it does not know. */
function withoutData(message: string): string {
  return message.replace(/, with args beginning with:.*$/s, '').replace(/ script: [0-9a-f]{40}.*$/s, '');
}

/** The server does not have the script: it restarted, or another master answers now. */
export function isUnknownScript(error: unknown): boolean {
  return isServerError(error) && error.message.startsWith('NOSCRIPT');
}
