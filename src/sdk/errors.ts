// One error type with stable codes: what happened, where, how to fix it, and whether trying again can help.

import type { ErrorCode } from './error-codes.ts';

export interface CdcErrorOptions {
  /** YAML path or component: `sources[0].slot_name`, `destination "bus"`. */
  readonly where?: string;
  /** One imperative sentence. */
  readonly fix?: string;
  /** Trying the same again later may succeed. Default `false`. */
  readonly retriable?: boolean;
  readonly cause?: unknown;
}

export class CdcError extends Error {
  override readonly name = 'CdcError';
  readonly code: ErrorCode;
  readonly where: string | null;
  readonly fix: string | null;
  readonly retriable: boolean;

  constructor(code: ErrorCode, message: string, options: CdcErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.where = options.where ?? null;
    this.fix = options.fix ?? null;
    this.retriable = options.retriable ?? false;
  }

  /** For machines: `--json` output, dead letters, state. */
  toJSON(): { code: ErrorCode; message: string; where: string | null; fix: string | null; retriable: boolean } {
    return { code: this.code, message: this.message, where: this.where, fix: this.fix, retriable: this.retriable };
  }
}

/** Any thrown value as a `CdcError`; what is not one already becomes `fallback` with the value as its cause. */
export function toCdcError(error: unknown, fallback: ErrorCode = 'INTERNAL_UNEXPECTED', options: CdcErrorOptions = {}): CdcError {
  if (error instanceof CdcError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new CdcError(fallback, message, { cause: error, ...options });
}

/** One result of a `check()`: what was looked at, and what to do about it. */
export interface Finding {
  readonly level: 'ok' | 'warning' | 'error';
  /** Short name of what was looked at: `reachable`, `wal_level`. */
  readonly check: string;
  readonly message: string;
  readonly fix?: string;
  readonly code?: ErrorCode;
}
