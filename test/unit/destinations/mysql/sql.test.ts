import { describe, expect, it } from 'vitest';
import { alterStatement, createTableStatement, nullableStatement } from '../../../../src/destinations/mysql/ddl.ts';
import { addStatement, deleteStatement, insertFrame, isKey, tuple, updateStatement } from '../../../../src/destinations/mysql/sql.ts';
import type { ServerFacts } from '../../../../src/systems/mysql/server.ts';
import { source, table, there } from './target.ts';

const NAME = { schema: 'sh`op', name: 'items' };
const MARIADB: ServerFacts = { flavor: 'mariadb', version: '10.11.19-MariaDB', number: 101_119, maxPacket: 1 << 24 };
const MYSQL: ServerFacts = { flavor: 'mysql', version: '8.0.31', number: 80_031, maxPacket: 1 << 24 };

const id = there('int', 'int', { name: 'id' }),
  name = there('varchar(40)', 'text', { name: 'na`me', length: 40 }),
  seen = there('timestamp', 'timestamp', { name: 'seen', selfUpdating: true }),
  made = there('int', 'int', { name: 'made', generated: true });
const ITEMS = table([id, name, seen, made], ['id']);

describe('statements of rows', () => {
  it.each([
    ['none', ''],
    ['upsert', ' ON DUPLICATE KEY UPDATE `na``me` = VALUES(`na``me`)'],
    // What sets itself would change with the others.
    ['replace', ' ON DUPLICATE KEY UPDATE `na``me` = VALUES(`na``me`), `seen` = DEFAULT'],
    ['ignore', ' ON DUPLICATE KEY UPDATE `id` = `id`'],
  ] as const)('insert with %s', (conflict, tail) => {
    const [head, found] = insertFrame(ITEMS, [id, name], conflict);
    expect([head, found]).toEqual(['INSERT INTO `shop`.`items` (`id`, `na``me`) VALUES ', tail]);
  });

  it('write NULL where there is no literal', () => {
    expect(tuple(['1', null, "'a'"])).toBe("(1,NULL,'a')");
    expect(isKey([id, name], ['1', null])).toBe('`id` = 1 AND `na``me` = NULL');
  });

  it('delete by one key column in a list, by several in conditions', () => {
    expect(deleteStatement(ITEMS, [id], [['1'], ['2']])).toBe('DELETE FROM `shop`.`items` WHERE `id` IN (1,2)');
    expect(deleteStatement(ITEMS, [id, name], [['1', "'a'"]])).toBe("DELETE FROM `shop`.`items` WHERE (`id` = 1 AND `na``me` = 'a')");
  });

  it('update what is there, count as met without a column, and leave what sets itself to a patch', () => {
    expect(updateStatement(ITEMS, [name], ["'b'"], '`id` = 1', 'patch')).toBe(
      "UPDATE `shop`.`items` SET `na``me` = 'b', `seen` = `seen` WHERE `id` = 1",
    );
    expect(updateStatement(table([id], ['id']), [], [], '`id` = 1', 'patch')).toBe('UPDATE `shop`.`items` SET `id` = `id` WHERE `id` = 1');
    expect(updateStatement(ITEMS, [name], [null], '`id` = 1', 'replace')).toBe(
      'UPDATE `shop`.`items` SET `na``me` = NULL, `seen` = DEFAULT WHERE `id` = 1',
    );
  });

  it('add a row that is not there by its key', () => {
    expect(addStatement(ITEMS, [id, name], ['1', null], '`id` = 1')).toBe(
      'INSERT INTO `shop`.`items` (`id`, `na``me`) SELECT 1, NULL FROM DUAL WHERE NOT EXISTS (SELECT 1 FROM `shop`.`items` WHERE `id` = 1)',
    );
  });
});

describe('statements of tables', () => {
  it('make a table whose texts are told apart byte by byte', () => {
    const columns = [source('int64', { name: 'id' }), source('string', { name: 'note' })];
    expect(createTableStatement(NAME, columns, ['id'], MYSQL)).toBe(
      'CREATE TABLE IF NOT EXISTS `sh``op`.`items` (`id` bigint NOT NULL, `note` longtext, PRIMARY KEY (`id`)) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin',
    );
    expect(createTableStatement(NAME, columns, ['id'], MARIADB)).toMatch(/COLLATE utf8mb4_nopad_bin$/);
  });

  it('add and widen in one statement, and keep what stands behind a type', () => {
    const note = there('varchar(10)', 'text', {
      name: 'note',
      definition: "CHARACTER SET latin1 COLLATE latin1_bin NOT NULL DEFAULT 'x' COMMENT 'NOT NULL'",
    });
    expect(
      alterStatement(NAME, { add: [source('int32', { name: 'n' })], widen: [{ target: note, type: 'varchar(20)' } as never] }, MYSQL),
    ).toBe(
      "ALTER TABLE `sh``op`.`items` ADD COLUMN `n` int NULL, MODIFY COLUMN `note` varchar(20) CHARACTER SET latin1 COLLATE latin1_bin NOT NULL DEFAULT 'x' COMMENT 'NOT NULL'",
    );
    // A type without letters cannot have a character set.
    expect(alterStatement(NAME, { add: [], widen: [{ target: note, type: 'longblob' } as never] }, MYSQL)).toBe(
      "ALTER TABLE `sh``op`.`items` MODIFY COLUMN `note` longblob NOT NULL DEFAULT 'x' COMMENT 'NOT NULL'",
    );
    expect(nullableStatement(NAME, note)).toContain("NULL DEFAULT 'x' COMMENT 'NOT NULL'");
    // Long texts of MySQL cannot have a default.
    const optional = { ...note, definition: "CHARACTER SET latin1 COLLATE latin1_bin DEFAULT 'it''s' COMMENT 'DEFAULT'" };
    const widened = (server: typeof MYSQL): string =>
      alterStatement(NAME, { add: [], widen: [{ target: optional, type: 'longtext' } as never] }, server);
    expect(widened(MYSQL)).toMatch(/longtext CHARACTER SET latin1 COLLATE latin1_bin COMMENT 'DEFAULT'$/);
    expect(widened({ ...MYSQL, flavor: 'mariadb' })).toMatch(/latin1_bin DEFAULT 'it''s' COMMENT 'DEFAULT'$/);
  });
});
