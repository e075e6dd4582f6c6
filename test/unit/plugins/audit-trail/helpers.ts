// An audit trail with a log in a folder of its own, and batches to send through it.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChangeEvent, LaneBatch, Logger, Middleware, Position, ResumePoint, WriteResult } from 'cdc-run/sdk';
import { type AuditConfig, configSchema } from '../../../../plugins/middleware/audit-trail/config.ts';
import { descriptor } from '../../../../plugins/middleware/audit-trail/index.ts';
import { context, event, withDefaults } from '../events.ts';

const POINT: ResumePoint = { epoch: 1, log: null, sources: {}, snapshots: [] };

export const STORED: WriteResult = { kind: 'stored' };

export function change(n: number): ChangeEvent {
  return event(
    { id: BigInt(n), name: `row ${n}`, photo: new Uint8Array([n % 256]) },
    {
      op: 'u',
      before: { id: BigInt(n), name: 'secret before' },
      position: String(n).padStart(16, '0') as Position,
    },
  );
}

export function batchOf(events: readonly ChangeEvent[], skip: readonly number[] = []): LaneBatch {
  return {
    events,
    skip: new Set(skip),
    encoded: () => {
      throw new Error('not asked for');
    },
    through: POINT,
    previous: POINT,
    worker: 0,
  };
}

export interface Trail extends Middleware {
  aroundWrite(lane: string, batch: LaneBatch, next: () => Promise<WriteResult>): Promise<WriteResult>;
  close(): Promise<void>;
}

export async function trailAt(path: string, config: Partial<AuditConfig> = {}, logger?: Logger): Promise<Trail> {
  const clock = { now: () => 1_700_000_000_000, sleep: () => Promise.resolve() };
  const trail = await descriptor.create(withDefaults<AuditConfig>(configSchema, { path, ...config }), {
    ...context,
    clock,
    ...(logger ? { logger } : {}),
  });
  return trail as Trail;
}

/** Writes events `from` … `to`, two per batch, each confirmed. */
export async function writeSome(path: string, config: Partial<AuditConfig>, from: number, to: number): Promise<void> {
  const trail = await trailAt(path, config);
  try {
    for (let n = from; n < to; n += 2) await trail.aroundWrite('bus', batchOf([change(n), change(n + 1)]), async () => STORED);
  } finally {
    await trail.close();
  }
}

export async function folder(): Promise<{ path: string; dir: string } & AsyncDisposable> {
  const dir = await mkdtemp(join(tmpdir(), 'cdc-audit-'));
  return {
    dir,
    path: join(dir, 'audit', 'orders.ndjson'),
    async [Symbol.asyncDispose]() {
      await rm(dir, { recursive: true });
    },
  };
}
