// What of the parked keys a restart finds: never less than the destination lacks.

import { describe, expect, it } from 'vitest';
import { ParkedKeys } from '../../../src/engine/parked-keys.ts';
import { ChangeEvent, type Op, positionOfNumber } from '../../../src/sdk/index.ts';
import { memoryStore } from '../../../src/sdk/testing/index.ts';
import { ITEMS, tableNamed } from '../../../src/sdk/testing/sample-tables.ts';

const event = (op: Op, n: number): ChangeEvent =>
  new ChangeEvent({
    op,
    table: tableNamed('items', ITEMS),
    source: 's',
    partition: 'p',
    position: positionOfNumber(n),
    sourceTsMs: 0,
    after: op === 't' ? null : { id: 1, name: 'x' },
  });

describe('a key that a load lets go', () => {
  async function parked() {
    const store = memoryStore(),
      keys = new ParkedKeys(store, {});
    keys.park(event('c', 1));
    await keys.save();
    const afterRestart = async (): Promise<string | null> => {
      const found = new ParkedKeys(store, {});
      await found.load();
      return found.blocking(event('u', 9))?.position ?? null;
    };
    return { keys, afterRestart };
  }
  const first = positionOfNumber(1);

  it('is parked for a restart until the load is stored, whatever is saved before', async () => {
    const { keys, afterRestart } = await parked(),
      load = {},
      other = {};
    keys.releaseTable(event('t', 3), load);
    keys.settle(other);
    await keys.save();
    expect([keys.size, await afterRestart()]).toEqual([0, first]);
    keys.settle(load);
    await keys.save();
    expect(await afterRestart()).toBeNull();
  });

  it('stands behind its first event for a restart, also when the load parks it again', async () => {
    const { keys, afterRestart } = await parked(),
      load = {};
    keys.release(event('u', 2), load);
    keys.park(event('u', 4));
    await keys.save();
    expect(await afterRestart()).toBe(first);
    keys.settle(load);
    await keys.save();
    expect(await afterRestart()).toBe(positionOfNumber(4));
  });

  it('waits again, behind its first event, when the truncate did not come to pass', async () => {
    const { keys, afterRestart } = await parked(),
      load = {};
    keys.releaseTable(event('t', 3), load);
    keys.park(event('u', 4));
    keys.restoreTable(event('t', 3), load);
    expect([keys.size, keys.blocking(event('u', 9))?.position]).toEqual([1, first]);
    keys.settle(load);
    await keys.save();
    expect(await afterRestart()).toBe(first);
  });

  it('is free at once where nobody names a load', async () => {
    const { keys, afterRestart } = await parked();
    keys.release(event('u', 2));
    await keys.save();
    expect(await afterRestart()).toBeNull();
  });
});
