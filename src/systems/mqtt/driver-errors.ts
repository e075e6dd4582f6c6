// What kind of error the driver threw: a reason code of the protocol, the network, TLS, the login. What each means to the source or the
// destination is said in their `errors.ts`. https://docs.oasis-open.org/mqtt/mqtt/v5.0/os/mqtt-v5.0-os.html#_Toc3901031

import { CertificateFileError, complaintOf, isCertificateError, NETWORK_CODES } from '../tls.ts';

/** `broken`: the connection was lost; what was under way may have been done. `away`: the broker cannot take it now. */
export type ProblemKind =
  | 'unreachable'
  | 'broken'
  | 'certificate'
  | 'our_certificate'
  | 'certificate_file'
  | 'login'
  | 'permission'
  | 'client_id'
  | 'version'
  | 'taken_over'
  | 'refused_message'
  | 'away'
  | 'other';

export interface Problem {
  readonly kind: ProblemKind;
  /** For a message: the network's code, or what the reason code means. */
  readonly detail: string;
}

/** Of CONNACK in 3.1.1. */
const OLD_CODES: Readonly<Record<number, ProblemKind>> = { 1: 'version', 2: 'client_id', 3: 'away', 4: 'login', 5: 'login' };

const REASONS: Readonly<Record<number, ProblemKind>> = {
  132: 'version',
  133: 'client_id',
  134: 'login',
  135: 'permission',
  136: 'away',
  137: 'away',
  138: 'login',
  139: 'away',
  140: 'login',
  142: 'taken_over',
  144: 'refused_message',
  149: 'refused_message',
  150: 'away',
  151: 'away',
  152: 'away',
  153: 'refused_message',
  156: 'away',
  157: 'away',
  159: 'away',
};

/** The connection could not be made: nothing was sent over it. */
export class ConnectError extends Error {
  override readonly name = 'ConnectError';
}

/** The broker ended the connection, or refused a subscription, and said why. */
export class ReasonError extends Error {
  override readonly name = 'ReasonError';
  readonly code: number;

  constructor(message: string, code: number) {
    super(message);
    this.code = code;
  }
}

export function problemOf(error: unknown): Problem {
  if (error instanceof ConnectError) {
    const inner = problemOf(error.cause);
    if (inner.kind === 'permission') return { ...inner, kind: 'login' };
    return ['broken', 'other'].includes(inner.kind) ? { ...inner, kind: 'unreachable' } : inner;
  }
  if (error instanceof CertificateFileError) return { kind: 'certificate_file', detail: `the file ${error.file} cannot be read` };
  const detail = error instanceof Error ? error.message : String(error),
    code = (error as { code?: unknown } | null)?.code;
  const complaint = complaintOf(code);
  if (complaint !== null) return { kind: 'our_certificate', detail: complaint };
  if (isCertificateError(code) || detail === 'TLS not authorized') return { kind: 'certificate', detail };
  if (typeof code === 'string' && NETWORK_CODES.has(code)) return { kind: 'broken', detail: code };
  if (typeof code === 'number') return { kind: (code < 128 ? OLD_CODES : REASONS)[code] ?? 'other', detail };
  if (/clos|timeout|disconnect|connack|no connection|ended|cut/i.test(detail)) return { kind: 'broken', detail };
  return { kind: 'other', detail };
}
