// What applications do to the sources while a schedule runs.

import type { LogChange } from '../../src/sdk/testing/fakes/log.ts';
import { ITEMS, tableNamed } from '../../src/sdk/testing/sample-tables.ts';
import type { Shape } from './shape.ts';
import { POISON } from './transformers.ts';
import type { World } from './world.ts';

/** Chunks of a snapshot need some rows between them. */
const keysPerTable = ({ snapshot }: Shape): number => (snapshot ? 8 : 4);

/** One transaction of one to four changes in a random partition. */
export function commit(world: World): void {
  const { dice, log, shape } = world,
    open = [...log.partitions.values()].filter((p) => !p.closed);
  if (open.length === 0) return;
  const partition = dice.pick(open),
    number = Number(partition.name.slice(1));
  if (dice.chance(0.1)) {
    log.commit([], partition.name);
    return;
  }
  if (shape.garbage && dice.chance(0.25)) {
    log.garbage(`garbage ${partition.name}.${partition.transactions.length}`, partition.name);
    return;
  }
  const changes: LogChange[] = [],
    there = new Map<string, boolean>();
  for (let n = 1 + dice.int(4); n > 0; n--) {
    const change = changeOf(world, `${dice.pick(['a', 'a', 'a', 'b', 'd'])}${number}`, there);
    if (change !== null) changes.push(change);
  }
  log.commit(changes, partition.name);
  world.trace(
    `commit ${partition.name}: ${changes.map((c) => `${c.op} ${c.table?.id.table}${'id' in c ? `/${c.id}` : ''}${'to' in c && c.to !== undefined ? `→${c.to}` : ''}`).join(', ')}`,
  );
}

function changeOf(world: World, name: string, there: Map<string, boolean>): LogChange | null {
  const { dice, log, moved, shape } = world,
    table = tableNamed(name, ITEMS),
    keys = keysPerTable(shape);
  const isThere = (id: number): boolean => there.get(`${name}/${id}`) ?? log.rows.has(`${name}/${id}`);
  const id = 1 + dice.int(keys),
    to = 1 + dice.int(keys),
    roll = dice.int(100);
  const text = `${shape.chokes && !shape.snapshot && dice.chance(0.08) ? POISON : ''}v${++world.versions}`;
  if (roll < 3) {
    world.oracle.note('upstream: truncate');
    for (let k = 1; k <= keys; k++) there.set(`${name}/${k}`, false);
    return { op: 'truncate', table };
  }
  if (!isThere(id)) {
    world.oracle.note(moved.delete(`${name}/${id}`) ? 'upstream: insert of a key that was changed away' : 'upstream: insert');
    there.set(`${name}/${id}`, true);
    return { op: 'insert', id, name: text, note: `n${world.versions}`, table };
  }
  if (roll < 20) {
    there.set(`${name}/${id}`, false);
    return { op: 'delete', id, table };
  }
  if (roll < 35 && to !== id && !isThere(to)) {
    there.set(`${name}/${id}`, false).set(`${name}/${to}`, true);
    moved.add(`${name}/${id}`);
    world.oracle.note('upstream: change of key');
    // Beside a snapshot an incomplete change of key could jump into a range that was read already: see facts on snapshots.
    return { op: 'update', id, to, name: text, partial: !shape.snapshot && dice.chance(0.3), table };
  }
  const partial = dice.chance(0.3);
  if (partial) world.oracle.note('upstream: incomplete update');
  return { op: 'update', id, name: text, partial, table };
}

export function publish(world: World): void {
  const message = { id: ++world.messages, text: `m${world.messages}` };
  world.oracle.published(message);
  world.queue.publish(message);
}
