// Findings of the checks in short.

import type { ErrorCode, Finding } from '../../sdk/index.ts';

export const ok = (check: string, message: string): Finding => ({ level: 'ok', check, message });
export const warning = (check: string, message: string, fix: string): Finding => ({ level: 'warning', check, message, fix });
export const error = (check: string, message: string, fix: string, code: ErrorCode = 'SOURCE_MISCONFIGURED'): Finding => ({
  level: 'error',
  check,
  message,
  fix,
  code,
});
