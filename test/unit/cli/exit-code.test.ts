import { describe, expect, it } from 'vitest';
import { exitCodeOf, exitCodeOfSignal } from '../../../src/cli/exit-code.ts';
import { ERROR_CODES, type ErrorCode } from '../../../src/sdk/index.ts';

describe('exitCodeOf', () => {
  it.each([
    ['CONFIG_UNKNOWN_KEY', 2],
    ['CONFIG_TYPE_NOT_AVAILABLE', 2],
    ['USAGE_INVALID', 2],
    ['PLUGIN_LOAD_FAILED', 2],
    ['SOURCE_UNREACHABLE', 3],
    ['DESTINATION_FORBIDDEN', 3],
    ['DEPENDENCY_MISSING', 3],
    ['STATE_UNAVAILABLE', 3],
    ['HEALTH_PORT_UNAVAILABLE', 3],
    ['DESTINATION_FULL', 3],
    ['AUDIT_CHAIN_BROKEN', 4],
    ['SOURCE_POSITION_GONE', 1],
    ['STATE_CORRUPT', 1],
    ['PLUGIN_FAILED', 1],
    ['INTERNAL_UNEXPECTED', 1],
  ] as const)('gives %s the exit code %i', (code, exit) => {
    expect(exitCodeOf(code)).toBe(exit);
  });

  it('never says that an error is success', () => {
    for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) expect(exitCodeOf(code)).toBeGreaterThan(0);
  });
});

describe('exitCodeOfSignal', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s: %i', (signal, code) => {
    expect(exitCodeOfSignal(signal)).toBe(code);
  });
});
