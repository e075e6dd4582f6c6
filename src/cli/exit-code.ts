// What the process's exit code says, so that scripts and orchestrators can tell apart what to do next.
//
// | code | meaning | what to do |
// |---|---|---|
// | 0 | done, or stopped as asked | nothing |
// | 1 | failed while running | read the error |
// | 2 | the configuration or the command line is wrong | correct it: trying again is useless |
// | 3 | the environment says no: unreachable, forbidden, not installed, port in use | mend it, try again |
// | 4 | a check said no: `validate --connect`, `audit verify`, a move of points | read the findings |
// | 128+n | killed by a second signal n | what was in flight is repeated at the next start |

import { constants } from 'node:os';
import type { ErrorCode } from '../sdk/error-codes.ts';

export const EXIT = { ok: 0, runtime: 1, configuration: 2, environment: 3, check: 4 } as const;

const CONFIGURATION: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'USAGE_INVALID',
  'PLUGIN_LOAD_FAILED',
  'DLQ_NOT_READABLE',
  'DLQ_LETTER_UNKNOWN',
  'DLQ_KEY_MISSING',
  'DLQ_KEY_WRONG',
]);

/** What somebody outside of this program has to mend. */
const ENVIRONMENT: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'DEPENDENCY_MISSING',
  'STATE_UNAVAILABLE',
  'STATE_LOCKED',
  'STATE_VERSION',
  'SOURCE_UNREACHABLE',
  'SOURCE_FORBIDDEN',
  'SOURCE_MISCONFIGURED',
  'DESTINATION_UNREACHABLE',
  'DESTINATION_FORBIDDEN',
  'DESTINATION_MISCONFIGURED',
  'DESTINATION_FULL',
  'REGISTRY_UNAVAILABLE',
  'REGISTRY_FORBIDDEN',
  'DLQ_UNAVAILABLE',
  'DLQ_BUSY',
  'CONTROL_UNREACHABLE',
  'HEALTH_PORT_UNAVAILABLE',
]);

const CHECK: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'AUDIT_CHAIN_BROKEN',
  'STATE_MOVE_REFUSED',
  'LOG_REPLAY_REFUSED',
  'SOURCE_SNAPSHOT_REFUSED',
]);

export function exitCodeOf(code: ErrorCode): number {
  if (code.startsWith('CONFIG_') || CONFIGURATION.has(code)) return EXIT.configuration;
  if (ENVIRONMENT.has(code)) return EXIT.environment;
  return CHECK.has(code) ? EXIT.check : EXIT.runtime;
}

/** As shells report a process that a signal ended: `SIGINT` → 130. */
export function exitCodeOfSignal(signal: NodeJS.Signals): number {
  return 128 + (constants.signals[signal] ?? 0);
}
