// The contracts of plugins: transformers change events, middleware wraps batches and writes, hooks are told what happened.

import type { ChangeEvent } from './change-event.ts';
import type { LaneBatch, WriteResult } from './destination.ts';
import type { CdcError } from './errors.ts';
import type { ResumePoint } from './position.ts';

/**
 * Changes events before they are logged. What it leaves out is filtered; what it adds (made with `event.copy()` from one of
 * its inputs) gets the input's position and `.n`. Order is kept. Throwing sends the batch's events one by one to find the
 * culprit, which goes to the dead letter queue.
 */
export interface Transformer {
  transform(events: ChangeEvent[]): ChangeEvent[] | Promise<ChangeEvent[]>;
  /**
   * Top-level columns of this event that the step hides. Asked when an event goes to the dead letter queue at or before this
   * step: there their values, in `before`, `after` and `key`, are encrypted or left out, and the broker record with them. Must
   * not change the event. A transformer that hides nothing leaves the method out.
   */
  sensitive?(event: ChangeEvent): readonly string[];
  close?(): Promise<void>;
}

/** A transformer that holds events back (windows, joins). Its state is saved with the position up to which it is complete. */
export interface StatefulTransformer extends Transformer {
  /** Everything held, as bytes. */
  save(): Uint8Array;
  restore(state: Uint8Array): void;
  /** Emits what is due: by event time, because the source is idle, or because it has ended. */
  flush(reason: 'event_time' | 'idle' | 'end'): ChangeEvent[];
}

/** Is this transformer one that holds events back? */
export function isStateful(t: Transformer): t is StatefulTransformer {
  return 'save' in t && 'restore' in t && 'flush' in t;
}

/** Wraps the way of a batch into the log, or of a write to a destination. Call `next` once, or throw. */
export interface Middleware {
  aroundBatch?(batch: { readonly source: string; readonly events: ChangeEvent[] }, next: () => Promise<void>): Promise<void>;
  aroundWrite?(lane: string, batch: LaneBatch, next: () => Promise<WriteResult>): Promise<WriteResult>;
  close?(): Promise<void>;
}

export const HOOK_EVENTS = ['before_run', 'after_run', 'on_error', 'on_checkpoint', 'on_schema_change'] as const;
export type HookEvent = (typeof HOOK_EVENTS)[number];

/** What happened in a run, in numbers. */
export interface RunSummary {
  readonly pipeline: string;
  readonly runId: number;
  readonly startedAtMs: number;
  readonly endedAtMs: number | null;
  readonly outcome: 'running' | 'done' | 'stopped' | 'failed';
  readonly eventsRead: number;
  readonly eventsFiltered: number;
  readonly deadLetters: number;
  readonly delivered: { readonly [lane: string]: number };
  /** Destinations that have a gap and get nothing, with the reason; absent when there is none. */
  readonly detached?: { readonly [lane: string]: string };
  /** Where each source stood at the start; empty at the first run. */
  readonly resumedFrom: { readonly [source: string]: { readonly [partition: string]: string } };
  readonly error: CdcError | null;
}

export type HookPayload =
  | { readonly event: 'before_run'; readonly run: RunSummary }
  | { readonly event: 'after_run'; readonly run: RunSummary }
  | { readonly event: 'on_error'; readonly run: RunSummary; readonly error: CdcError }
  | { readonly event: 'on_checkpoint'; readonly run: RunSummary; readonly point: ResumePoint }
  | { readonly event: 'on_schema_change'; readonly run: RunSummary; readonly change: ChangeEvent };

/** Told what happened. Awaited, within its timeout; a failing hook is logged, only `before_run` stops the run. */
export interface Hook {
  handle(payload: HookPayload): Promise<void> | void;
  close?(): Promise<void>;
}
