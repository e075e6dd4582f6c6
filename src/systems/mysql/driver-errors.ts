// What kind of error the driver threw: the server's word with its number, the network, TLS, the login. What each means to a
// source or a destination is said in their `errors.ts`.
// https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html, https://mariadb.com/kb/en/mariadb-error-code-reference/

import { CertificateFileError, isCertificateError, NETWORK_CODES } from '../tls.ts';

/** An error that the server sent. */
export interface ServerError extends Error {
  /** `ER_DUP_ENTRY` */
  readonly code: string;
  /** 1062 */
  readonly errno: number;
  /** `23000` */
  readonly sqlState: string;
}

/** The server said it, as opposed to the network or the driver. */
export function isServerError(error: unknown): error is ServerError {
  return (
    error instanceof Error &&
    typeof (error as { errno?: unknown }).errno === 'number' &&
    typeof (error as { sqlState?: unknown }).sqlState === 'string'
  );
}

/** The error's number, or `null` when it did not come from the server. */
export function errorNumber(error: unknown): number | null {
  return isServerError(error) ? error.errno : null;
}

/** The connection is gone with this error. */
export function isFatal(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { fatal, code } = error as { fatal?: unknown; code?: unknown };
  return fatal === true || (typeof code === 'string' && (code.startsWith('PROTOCOL_') || NETWORK_CODES.has(code)));
}

/** We gave up waiting for the answer to a statement; the server may still run it. */
export function isTimeout(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === 'PROTOCOL_SEQUENCE_TIMEOUT';
}

/** `detail` is for a message: the network's code, or the driver's own words. */
export interface DriverProblem {
  readonly kind: 'unreachable' | 'slow' | 'no_encryption' | 'certificate' | 'certificate_file' | 'login' | 'other';
  readonly detail: string;
}

/** An error that the server did not send. */
export function driverProblem(error: unknown): DriverProblem {
  const message = error instanceof Error ? error.message : String(error);
  const code = (error as { code?: unknown } | null)?.code;
  if (error instanceof CertificateFileError) return { kind: 'certificate_file', detail: message };
  if (isTimeout(error)) return { kind: 'slow', detail: message };
  if (code === 'HANDSHAKE_NO_SSL_SUPPORT') return { kind: 'no_encryption', detail: message };
  if (isCertificateError(code) || (code === 'HANDSHAKE_SSL_ERROR' && isAboutCertificate(message)))
    return { kind: 'certificate', detail: message };
  if (code === 'HANDSHAKE_SSL_ERROR' || isFatal(error)) return { kind: 'unreachable', detail: typeof code === 'string' ? code : message };
  if (typeof code === 'string' && NETWORK_CODES.has(code)) return { kind: 'unreachable', detail: code };
  if (/closed state|connection.* (lost|closed)|is closed/i.test(message)) return { kind: 'unreachable', detail: message };
  if (/auth|password/i.test(`${String(code)} ${message}`)) return { kind: 'login', detail: message };
  return { kind: 'other', detail: message };
}

const isAboutCertificate = (message: string): boolean => /certificate|altname|issuer|self[- ]signed|unable to verify/i.test(message);
