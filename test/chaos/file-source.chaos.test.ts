// SIGKILL at random moments while another program appends records to a file and rotates it: each record arrives once.

import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { skipReason } from '../helpers/postgres.ts';
import { type AuditedTable, repeatedPuts } from './audit.ts';
import { consumed, linesOf } from './evidence.ts';
import { expectReplayed, postgresReplica, sqliteReplica } from './replicas.ts';
import { chaosFolder, killsOf, rotatedLines, TIMEOUT_MS, Victim, Writer } from './victim.ts';

const noPostgres = (await skipReason()) !== null;
const RECORDS: AuditedTable = { name: 'records', columns: 'id bigint PRIMARY KEY, note text', rev: 'id' };

describe('file that grows and is rotated → sqlite, file and postgresql', () => {
  it.skipIf(noPostgres)('delivers each record once and in order', { timeout: TIMEOUT_MS }, async () => {
    const work = chaosFolder();
    work.makeFolder('in');
    await using sqlite = await sqliteReplica(work, [RECORDS]);
    await using postgres = await postgresReplica([RECORDS]);
    const replicas = [sqlite, postgres];
    work.write(
      'chaos.yaml',
      `
name: chaos
source: {type: file, path: in/changes.ndjson, table: records, key: [id], poll_interval: 5ms}
destinations:
  - {name: files, type: file, path: out/changes.ndjson, envelope: plain, rotate: {size: 256KiB}}
${replicas.map((r) => r.yaml(', create_tables: false')).join('')}
sync: {mode: continuous, batch_size: 40, checkpoint_interval: 100ms}
log: {type: disk}
`,
    );
    using writer = await Writer.start('appender', work.path('in/changes.ndjson'));
    const victim = new Victim(work, ['chaos.yaml'], 'out/changes.ndjson', 6, postgres.env);
    let isHurried = false;
    for (let n = killsOf(6); n > 0; n--) {
      if (!isHurried && n <= killsOf(4) && existsSync(work.path('out/changes.ndjson'))) {
        writer.hurry();
        isHurried = true;
      }
      await victim.killOnce(400);
    }
    const written = await writer.stop();
    await victim.finish('--until-caught-up');
    console.log(`${victim.describe()}; ${written}`);

    const source = rotatedLines(work, 'in').map((line) => JSON.parse(line) as { id: number; note: string });
    const lines = linesOf(work);
    expect(source.map(({ id }) => id)).toEqual(source.map((_, i) => i + 1));
    expect(lines.map(({ op, after }) => ({ op, after }))).toEqual(source.map((after) => ({ op: 'c', after })));
    expect(await consumed(victim, 'chaos')).toEqual(lines);
    for (const replica of replicas) {
      await expectReplayed(replica, lines, 'records', { id: 'number', note: 'text' });
      expect(repeatedPuts(await replica.effects()), replica.name).toEqual([]);
    }
  });
});
