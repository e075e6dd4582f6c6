// The configuration keys of `cdc_mode: binlog`: who we are to the server, where to begin, what the server must be set to.

import { type ConfigProblem, Default, Duration, Keys, OneOf, type Static, Type } from '../../sdk/index.ts';
import { MariadbGtidPosition, MysqlGtidSet } from './gtid-set.ts';
import { modeOf } from './mode.ts';
import { parseFileName } from './position.ts';

const serverId = Type.Optional(
  Type.Integer({
    minimum: 1,
    maximum: 4_294_967_295,
    description:
      'Our number among the servers and replicas; no other may have it. Default: made of the names of pipeline and source and a random part that is kept.',
    examples: [1001],
  }),
);

const binlogConfigSchema = Keys(
  {
    server_id: serverId,
    binlog_filename: Type.Optional(Type.String({ minLength: 1, description: 'File to begin with.', examples: ['mysql-bin.000001'] })),
    binlog_position: Type.Optional(Type.Integer({ minimum: 4, description: 'Place in the file. Default: its beginning.', examples: [4] })),
    gtid_set: Type.Optional(
      Type.String({
        description: 'Begin behind these transactions. `auto`: by `binlog_filename` where it is set, else where the log ends.',
        examples: ['auto'],
      }),
    ),
  },
  { description: 'Where to begin when nothing is stored yet.', examples: [{ binlog_filename: 'mysql-bin.000001', binlog_position: 4 }] },
);

export const binlogKeys = {
  server_id: serverId,
  use_gtid: Type.Optional(
    Type.Boolean({
      description:
        'Resume by transaction ids, which also hold on another server; else by file and place. Default: where the server has them.',
      examples: [true],
    }),
  ),
  binlog_config: Type.Optional(binlogConfigSchema),
  binlog_format: Default(OneOf(['ROW'], { description: 'What the server must be set to; `check` looks.', examples: ['ROW'] }), 'ROW'),
  binlog_row_image: Default(
    OneOf(['FULL', 'MINIMAL', 'NOBLOB'], {
      description:
        'What images of rows must have at least; `check` looks at the server, and a session that logs less stops the table. With the latter two, events lack columns that did not change: destinations then update those that are there.',
      examples: ['FULL'],
    }),
    'FULL',
  ),
  heartbeat_interval: Default(
    Duration({
      unit: 's',
      minimum: 0.1,
      description:
        'How often an idle server says that it is there. After three times as long without a word the connection counts as lost.',
      examples: ['10s'],
    }),
    '10s',
  ),
  on_truncate: Default(
    OneOf(['emit', 'ignore'], {
      description: '`emit`: TRUNCATE becomes an event of op `t`. `ignore`: it is left out, and the rows stay at the destinations.',
      examples: ['ignore'],
    }),
    'emit',
  ),
};

const KEYS = Keys({ ...binlogKeys, cdc_mode: Type.Optional(OneOf(['binlog', 'polling'], { description: '' })) });
export type BinlogConfig = Static<typeof KEYS>;

/** Where to begin, as the configuration says; `null`: where the log ends. */
export type ConfiguredStart = { readonly file: string; readonly position: number } | { readonly gtids: string } | null;

export function startOf({ binlog_config: c }: Pick<BinlogConfig, 'binlog_config'>): ConfiguredStart {
  if (c?.gtid_set !== undefined && c.gtid_set !== 'auto') return { gtids: c.gtid_set.replaceAll(/\s/g, '') };
  return c?.binlog_filename === undefined ? null : { file: c.binlog_filename, position: c.binlog_position ?? 4 };
}

export function binlogProblems(config: BinlogConfig): ConfigProblem[] {
  const problems: ConfigProblem[] = [],
    { server_id, binlog_config: c } = config;
  if (modeOf(config) === 'polling') {
    return (['server_id', 'use_gtid', 'binlog_config'] as const)
      .filter((key) => config[key] !== undefined)
      .map((key) => ({ path: [key], message: `"${key}" is for \`cdc_mode: binlog\``, fix: 'Remove it, or set `cdc_mode: binlog`.' }));
  }
  if (server_id !== undefined && c?.server_id !== undefined && server_id !== c.server_id)
    problems.push({ path: ['server_id'], message: '"server_id" is not `binlog_config.server_id`', fix: 'Keep one of the two.' });
  if (c?.binlog_filename !== undefined && parseFileName(c.binlog_filename) === null)
    problems.push({
      path: ['binlog_config', 'binlog_filename'],
      message: `"${c.binlog_filename}" is no name of a binary log`,
      fix: 'Write one that `SHOW BINARY LOGS` lists: mysql-bin.000001.',
    });
  if (c?.binlog_position !== undefined && c.binlog_filename === undefined)
    problems.push({ path: ['binlog_config', 'binlog_position'], message: 'a place without `binlog_filename`', fix: 'Name the file, too.' });
  const start = startOf(config);
  if (start !== null && 'gtids' in start && MysqlGtidSet.parse(start.gtids) === null && MariadbGtidPosition.parse(start.gtids) === null)
    problems.push({
      path: ['binlog_config', 'gtid_set'],
      message: `"${start.gtids}" is neither a set of MySQL nor a position of MariaDB`,
      fix: 'Write `auto`, `3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5`, or `0-1-100`.',
    });
  return problems;
}
