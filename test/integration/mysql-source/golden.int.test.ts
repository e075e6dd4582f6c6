// The whole way from a real server to Debezium's records: the statements of the recorded files run here, our source captures them, and
// every record is compared with what Debezium wrote.

import { beforeAll, describe, expect, it } from 'vitest';
import type { ChangeEvent } from '../../../src/sdk/index.ts';
import { ownRecords, type RecordedFolder, Recording } from '../../helpers/debezium-mysql-records.ts';
import { GOLDEN_CASES } from '../../helpers/debezium-records.ts';
import { createMysqlDatabase, mysqlServers } from '../../helpers/mysql.ts';
import { capture, statements } from './capture.ts';

const RECORDINGS: readonly RecordedFolder[] = [
  { folder: 'debezium-mariadb-run', connector: 'mariadb', isZipped: false },
  { folder: 'debezium-mariadb-types', connector: 'mariadb', isZipped: true },
  { folder: 'debezium-mariadb-defaults', connector: 'mariadb', isZipped: true },
  { folder: 'debezium-mariadb-changes', connector: 'mariadb', isZipped: true },
  { folder: 'debezium-mariadb-ddl', connector: 'mariadb', isZipped: true },
  { folder: 'debezium-mysql-types', connector: 'mysql', isZipped: true },
  { folder: 'debezium-mysql-defaults', connector: 'mysql', isZipped: true },
  { folder: 'debezium-mysql-changes', connector: 'mysql', isZipped: true },
];

const servers = await mysqlServers();

describe.each(RECORDINGS)('records of the whole way are those of Debezium: $folder', (recorded) => {
  describe.skipIf(!servers.includes(recorded.connector))(`with ${recorded.connector}`, () => {
    const recording = new Recording(recorded);
    let events: readonly ChangeEvent[] = [],
      home = '';

    beforeAll(async () => {
      await using db = await createMysqlDatabase(recorded.connector);
      home = db.name;
      const other = `${home}_other`;
      const own = (sql: string): string[] => statements(sql.replaceAll('golden_other.', `${other}.`).replaceAll('golden.', `${home}.`));
      await db.query(`CREATE DATABASE ${other} CHARACTER SET utf8mb4`);
      try {
        for (const statement of own(recording.sql('schema'))) await db.query(statement);
        events = await capture(db, own(recording.sql('dml')), { tables: ['*', `${other}.*`] });
      } finally {
        await db.query(`DROP DATABASE ${other}`);
      }
    });

    it.each(GOLDEN_CASES)('with the settings of $file', ({ file, options, truncates }) => {
      const expected = recording.records(file);
      // By default Debezium leaves truncates out.
      const sent = events.filter((e) => truncates || e.op !== 't');
      const ours = ownRecords(recorded, sent, options, (database) => (database === home ? 'golden' : 'golden_other'));
      for (const [i, line] of expected.entries()) expect(ours[i], `record ${i + 1}`).toBe(line);
      expect(ours).toHaveLength(expected.length);
    });
  });
});
