// What `check` says of a server, for its source and its destination.

import type { ErrorCode, Finding } from '../../sdk/index.ts';
import type { Connection } from './connection.ts';
import type { Endpoint } from './endpoint.ts';

export const ok = (check: string, message: string): Finding => ({ level: 'ok', check, message });
export const warning = (check: string, message: string, fix: string): Finding => ({ level: 'warning', check, message, fix });
export const error = (check: string, message: string, fix: string, code: ErrorCode): Finding => ({
  level: 'error',
  check,
  message,
  fix,
  code,
});

export function* serverFindings(connection: Connection, { sslMode, host }: Endpoint, server: string): Iterable<Finding> {
  yield ok('reachable', `RabbitMQ ${connection.version ?? '(it does not tell its version)'} at ${server}`);
  if (sslMode === 'disable' && !/^(localhost$|127\.|::1$)/.test(host))
    yield warning('encryption', 'the connection is not encrypted', 'Set `tls: true`.');
  if (sslMode === 'require')
    yield warning(
      'encryption',
      'the connection is encrypted, but nobody checks who answers',
      'Set `tls.ca` in place of `tls.verify: false`.',
    );
}
