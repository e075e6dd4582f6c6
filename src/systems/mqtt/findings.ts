// What `check` says of a broker, for its source and its destination.

import type { ErrorCode, Finding } from '../../sdk/index.ts';
import { describeEndpoint, type Endpoint } from './endpoint.ts';

export const ok = (check: string, message: string): Finding => ({ level: 'ok', check, message });
export const warning = (check: string, message: string, fix: string): Finding => ({ level: 'warning', check, message, fix });
export const error = (check: string, message: string, fix: string, code: ErrorCode): Finding => ({
  level: 'error',
  check,
  message,
  fix,
  code,
});

export function* brokerFindings(endpoint: Endpoint): Iterable<Finding> {
  const { sslMode, host, version } = endpoint;
  yield ok('reachable', `the broker at ${describeEndpoint(endpoint)} takes the login, MQTT ${version === 5 ? '5' : '3.1.1'}`);
  if (sslMode === 'disable' && !/^(localhost$|127\.|::1$)/.test(host))
    yield warning('encryption', 'the connection is not encrypted', 'Write mqtts://, or set `tls: true`.');
  if (sslMode === 'require')
    yield warning(
      'encryption',
      'the connection is encrypted, but nobody checks who answers',
      'Set `tls.ca` in place of `tls.verify: false`.',
    );
}
