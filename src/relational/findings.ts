// Findings that destinations of SQL tables word the same way.

import type { ErrorCode, Finding } from '../sdk/index.ts';

export const ok = (check: string, message: string): Finding => ({ level: 'ok', check, message });
export const warning = (check: string, message: string, fix: string): Finding => ({ level: 'warning', check, message, fix });
export const error = (check: string, message: string, fix: string, code: ErrorCode): Finding => ({
  level: 'error',
  check,
  message,
  fix,
  code,
});

/** Is the connection encrypted, and does anybody look at who answers? */
export function* encryptionFindings(endpoint: {
  readonly sslMode: string;
  readonly sslCa?: string;
  readonly host?: string;
}): Iterable<Finding> {
  const { sslMode, sslCa, host = 'localhost' } = endpoint;
  const isLocal = /^(localhost|127\.|::1$|\/)/.test(host);
  if (sslMode === 'disable' && !isLocal)
    yield warning('encryption', `the connection to ${host} is not encrypted`, 'Set `ssl_mode: verify-full`.');
  if (sslMode === 'require' && sslCa === undefined)
    yield warning(
      'encryption',
      'the connection is encrypted, but nobody checks who answers',
      'Set `ssl_mode: verify-full`, and `ssl.ca` where the authority is your own.',
    );
}
