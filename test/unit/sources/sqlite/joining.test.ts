// Destinations that are added later, over the real SQLite source, which forgets what all have.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startPipeline } from '../../../../src/engine/pipeline.ts';
import type { Descriptor, LaneBatch } from '../../../../src/sdk/index.ts';
import { FakeHoldingDestination, Faults, fakeDestination, HoldingStore } from '../../../../src/sdk/testing/index.ts';
import { descriptor as sqlite } from '../../../../src/sources/sqlite/index.ts';
import { component, destination, memoryDeps, pipeline, runOptions } from '../../../helpers/pipeline.ts';
import { DEFAULTS } from './harness.ts';

const CHUNK = 4;
let folder: string, db: Database.Database;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cdc-joining-'));
  db = new Database(join(folder, 'shop.db'));
  db.exec('CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT)');
});
afterEach(() => {
  db.close();
  rmSync(folder, { recursive: true });
});

const fill = (from: number, to: number): void => {
  for (let id = from; id <= to; id++) db.prepare('INSERT INTO items VALUES (?, ?)').run(id, `item ${id}`);
};

function world() {
  const stores = new Map<string, HoldingStore>(),
    sizes: { [lane: string]: number[] } = {};
  const recording = (name: string): Descriptor => {
    const store = new HoldingStore(new Faults());
    stores.set(name, store);
    const descriptor = fakeDestination('holding', () => {
      const made = new FakeHoldingDestination(store),
        write = made.write.bind(made);
      made.write = async (batch: LaneBatch, signal) => {
        sizes[name]?.push(batch.events.length);
        return write(batch, signal);
      };
      return made;
    });
    return { ...descriptor, type: name } as Descriptor;
  };
  const deps = memoryDeps([sqlite as Descriptor, ...['first', 'later', 'last'].map(recording)]);
  const run = async (...names: string[]): Promise<typeof sizes> => {
    for (const name of names) sizes[name] = [];
    const source = component('sqlite', { ...DEFAULTS, path: join(folder, 'shop.db'), tables: ['items'], poll_interval: 5 });
    const base = pipeline({ sources: [source], destinations: names.map((name) => destination(name)) });
    const ended = await startPipeline(
      { ...base, sync: { ...base.sync, batch: { ...base.sync.batch, maxEvents: CHUNK } } },
      deps,
      runOptions(),
    ).done;
    expect(ended.error).toBeNull();
    return structuredClone(sizes);
  };
  return { run, rows: (name: string) => stores.get(name)?.rows.size };
}

it('get all rows in chunks, those too that came after the first snapshot; the others get none of it', async () => {
  const { run, rows } = world();
  fill(1, 10);
  await run('first');
  fill(11, 30);
  await run('first');
  const sizes = await run('first', 'later');
  expect([rows('first'), rows('later')]).toEqual([30, 30]);
  expect(sizes['first']?.every((size) => size === 0)).toBe(true);
  expect(Math.max(...(sizes['later'] ?? []))).toBe(CHUNK);
});
