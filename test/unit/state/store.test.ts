import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryStateStore } from '../../../src/state/memory-store.ts';
import { openSqliteStateStore } from '../../../src/state/sqlite-store.ts';
import { describeStateStore, type StoreUnderTest } from './contract.ts';

describeStateStore('the memory store', async () => {
  const store = new MemoryStateStore();
  return {
    store,
    async reopen() {
      await store.close();
      return store;
    },
    async [Symbol.asyncDispose]() {
      await store.close();
    },
  };
});

describeStateStore('the SQLite store', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cdc-state-'));
  const path = join(folder, 'state.db');
  const test: StoreUnderTest = {
    store: await openSqliteStateStore(path),
    async reopen() {
      await test.store.close();
      test.store = await openSqliteStateStore(path);
      return test.store;
    },
    async [Symbol.asyncDispose]() {
      await test.store.close();
      await rm(folder, { recursive: true });
    },
  };
  return test;
});
