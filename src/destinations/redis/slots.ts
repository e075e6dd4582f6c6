// Writes the keys of a batch on all nodes of a cluster: one script per slot, all at once. Each is whole or not at all; the batch is
// not, so its place cannot be kept there, and after an error all of it is written again: that leaves the same keys.

import type { LaneBatch, WriteResult } from '../../sdk/index.ts';
import type { LanePoints } from '../../systems/redis/lane-points.ts';
import { slotOf } from '../../systems/redis/slot.ts';
import { failuresOf, type KeyWrite } from './encode.ts';
import { argumentsOf, WRITE } from './write-script.ts';

export async function writeBySlot(
  points: LanePoints,
  batch: LaneBatch,
  writes: readonly KeyWrite[],
  ttl: number,
  signal: AbortSignal,
): Promise<WriteResult> {
  const groups = bySlot(writes, points.isCluster);
  const missing = await points.use(signal, true, async (client) =>
    Promise.all(
      groups.map(async (group) => {
        const keys = group.map((w) => w.key);
        const [word, ...at] = (await WRITE.run(client, keys, [ttl, ...argumentsOf(group)])) as readonly string[];
        return word === 'ok' ? [] : at.map((n) => group[Number(n)] as KeyWrite);
      }),
    ),
  );
  if (missing.every((list) => list.length === 0)) return { kind: 'stored' };
  // A slot with a row that is missing was not written at all: its other events come again.
  const notWritten = new Set(groups.filter((_, g) => missing[g]?.length !== 0).flatMap((group) => group.flatMap((w) => w.events)));
  const written = batch.events.flatMap((_, i) => (notWritten.has(i) || batch.skip.has(i) ? [] : [i]));
  const failed = new Set(missing.flat().flatMap((w) => w.events));
  return { kind: 'partial', written, failed: failuresOf(batch, [...failed]) };
}

function bySlot(writes: readonly KeyWrite[], isCluster: boolean): readonly (readonly KeyWrite[])[] {
  const groups = new Map<number, KeyWrite[]>();
  for (const write of writes) {
    const slot = isCluster ? slotOf(write.key) : 0,
      group = groups.get(slot);
    if (group === undefined) groups.set(slot, [write]);
    else group.push(write);
  }
  return [...groups.values()];
}
