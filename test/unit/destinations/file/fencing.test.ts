// Two processes over the same files, stopped between any two operations: what the older one says is stored, the newer one has.

import { describe, expect, it } from 'vitest';
import type { Files } from '../../../../src/destinations/file/files.ts';
import { FileDestination } from '../../../../src/destinations/file/writer.ts';
import { type Committed, type ComponentContext, silentLogger, type WriteResult } from '../../../../src/sdk/index.ts';
import { laneBatch, ordersTable, point, rowEvent, withRoom } from '../lane-batch.ts';
import { defaults } from './config.ts';
import { CrashFiles } from './crash-files.ts';

const LANE = { pipeline: 'p', lane: 'files' };

/** Lets so many operations pass, then holds the next one. */
class Gate {
  #left = Number.POSITIVE_INFINITY;
  #passed = (): void => {};
  #release: (() => void) | null = null;

  /** Resolves when the process waits at its operation number `count`. */
  stopBehind(count: number): Promise<void> {
    this.#left = count;
    return new Promise((resolve) => {
      this.#passed = resolve;
    });
  }

  open(): void {
    this.#left = Number.POSITIVE_INFINITY;
    this.#release?.();
  }

  through(files: Files): Files {
    return new Proxy(files, {
      get: (target, name) => {
        const method = (target as unknown as Record<string | symbol, (...args: unknown[]) => unknown>)[name];
        return async (...args: unknown[]) => {
          if (this.#left-- <= 0) {
            await new Promise<void>((resolve) => {
              this.#release = resolve;
              this.#passed();
            });
          }
          return method?.apply(target, args);
        };
      },
    });
  }
}

function processOver(files: CrashFiles): { destination: FileDestination; gate: Gate } {
  const gate = new Gate();
  const ctx: ComponentContext = {
    pipeline: 'p',
    name: 'files',
    logger: silentLogger,
    clock: { now: () => 0, sleep: async () => {} },
    random: () => 0,
  };
  const config = { ...defaults, path: '/out/{table}.ndjson' };
  return { gate, destination: new FileDestination(config, ctx, gate.through(files), null) };
}

const batchOf = (n: number, table = ordersTable) =>
  laneBatch([rowEvent(n, { table, after: { id: n } })], { previous: point(n - 1, 1), through: point(n, 1) });

/** Two processes: how far the older one is in its write, and then the newer one in its claim, when the other goes on. */
async function interleave(olderAt: number, newerAt: number, second = batchOf(2)): Promise<{ outcome: string; committed: Committed }> {
  const files = new CrashFiles(() => 0.5),
    older = processOver(files),
    newer = processOver(files);
  await older.destination.claim(LANE, 1);
  await older.destination.setPoints(LANE, 1, [point(0, 1)]);
  await older.destination.write(batchOf(1));
  const olderWaits = older.gate.stopBehind(olderAt);
  const written = older.destination.write(second).then(
    (result: WriteResult) => result.kind as string,
    (error: { code?: string }) => error.code ?? String(error),
  );
  await Promise.race([olderWaits, written]);
  const newerWaits = newer.gate.stopBehind(newerAt);
  const claimed = newer.destination.claim(LANE, 2);
  await Promise.race([newerWaits, claimed]);
  older.gate.open();
  const outcome = await written;
  newer.gate.open();
  await claimed;
  return { outcome, committed: await newer.destination.committed(LANE) };
}

const PLACES = Array.from({ length: 24 }, (_, i) => i);
const other = { ...ordersTable, id: { ...ordersTable.id, table: 'other' } };

describe('an older process that goes on beside a newer claim', () => {
  it.each([
    ['to a file it has', batchOf(2)],
    ['to a new file', batchOf(2, other)],
    ['with a point that its slots have no room for', { ...batchOf(2), through: withRoom(point(2, 1), 9000) }],
  ] as const)('says that a batch is stored only when the newer one knows of it: %s', async (_, batch) => {
    const outcomes = new Set<string>();
    for (const olderAt of PLACES) {
      for (const newerAt of PLACES) {
        const { outcome, committed } = await interleave(olderAt, newerAt, batch);
        outcomes.add(outcome);
        if (committed.kind !== 'points') throw new Error(committed.kind);
        if (outcome === 'stored')
          expect({ olderAt, newerAt, at: committed.points[0]?.sources }).toEqual({ olderAt, newerAt, at: batch.through.sources });
      }
    }
    expect([...outcomes].sort()).toContain('DESTINATION_FENCED');
    expect([...outcomes].sort()).toContain('stored');
  });
});
