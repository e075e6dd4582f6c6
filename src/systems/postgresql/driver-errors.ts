// What kind of error the driver threw: the server's word with its SQLSTATE, the network, TLS, the login. What each means to
// a source or a destination is said in their `errors.ts`. https://www.postgresql.org/docs/current/errcodes-appendix.html

import { CertificateFileError, isCertificateError, NETWORK_CODES } from '../tls.ts';

/** The fields of an ErrorResponse that we use. `detail` holds rows, so it goes nowhere. */
export interface ServerError extends Error {
  readonly code: string;
  readonly severity: string;
  readonly constraint?: string;
  readonly schema?: string;
  readonly table?: string;
  readonly column?: string;
  /** The function of the server that raised it: unlike the message it is never translated. */
  readonly routine?: string;
}

/** The server said it, as opposed to the network or the driver. */
export function isServerError(error: unknown): error is ServerError {
  return error instanceof Error && 'severity' in error && typeof (error as { code?: unknown }).code === 'string';
}

/** The SQLSTATE, or `null` when the error did not come from the server. */
export function sqlState(error: unknown): string | null {
  return isServerError(error) ? error.code : null;
}

/** `detail` is for a message: the network's code, or the driver's own words. */
export interface DriverProblem {
  readonly kind: 'unreachable' | 'no_encryption' | 'certificate' | 'certificate_file' | 'login' | 'other';
  readonly detail: string;
}

/** An error that the server did not send. */
export function driverProblem(error: unknown): DriverProblem {
  const message = error instanceof Error ? error.message : String(error);
  const code = (error as { code?: unknown } | null)?.code;
  if (error instanceof CertificateFileError) return { kind: 'certificate_file', detail: message };
  if (typeof code === 'string' && NETWORK_CODES.has(code)) return { kind: 'unreachable', detail: code };
  if (/terminated|timeout e|not queryable|premature close/i.test(message)) return { kind: 'unreachable', detail: message };
  if (/does not support SSL/.test(message)) return { kind: 'no_encryption', detail: message };
  if (isCertificateError(code)) return { kind: 'certificate', detail: `${message} (${code})` };
  if (/^SASL|password/i.test(message)) return { kind: 'login', detail: message };
  return { kind: 'other', detail: message };
}
