// Configuration keys that sources share which read rows of SQL tables and then their log: what is captured, how existing rows are read.

import { Default, Duration, Keys, OneOf, Size, Type } from '../sdk/index.ts';

/** What a system calls the space of names that tables are in, and an example of one. */
export interface Words {
  readonly space: string;
  readonly example: string;
  /** A condition in the system's SQL. */
  readonly recently: string;
}

const patterns = (description: string, examples: readonly unknown[]) =>
  Type.Array(Type.String({ minLength: 1 }), { description, examples: [...examples] });

export function columnsKey({ space, example }: Words) {
  const schema = Keys(
    {
      include: Default(
        patterns(`Columns that are read, as \`${space}.table.column\`, \`table.column\` or \`column\`. Key columns always are.`, [
          [`${example}.orders.*`],
        ]),
        ['*'],
      ),
      exclude: Default(patterns('Columns that are left out, written in the same way.', [['customers.password', 'secret_*']]), []),
    },
    { description: 'Which columns are read. `*` stands for any letters but the dot.', examples: [{ exclude: ['customers.password'] }] },
  );
  return Default(schema, { include: ['*'], exclude: [] });
}

export function snapshotKeys({ example, recently }: Words) {
  const orders = `${example}.orders`;
  return {
    tables: Default(patterns('Which of the captured tables are read first, written as in `tables`.', [[orders]]), ['*.*']),
    where: Default(
      Type.Record(Type.String(), Type.String({ minLength: 1 }), {
        description: 'Table → condition in SQL: only rows that meet it are read first. Changes are captured of all rows.',
        examples: [{ [orders]: recently }],
      }),
      {},
    ),
    chunk_rows: Default(
      Type.Integer({
        minimum: 1,
        description: 'Rows that one SELECT reads at most. They go out, and progress is stored, in batches of the usual size.',
        examples: [10_000],
      }),
      20_000,
    ),
    chunk_bytes: Default(
      Size({
        description: 'Bytes that one SELECT reads, about: wide rows make it read fewer. Up to `workers` + 1 such reads are in memory.',
        examples: ['4MiB'],
      }),
      '8MiB',
    ),
    workers: Default(Type.Integer({ minimum: 1, maximum: 64, description: 'SELECTs that read at the same time.', examples: [4] }), 2),
  };
}

export const onErrorKey = Default(
  OneOf(['pause', 'skip', 'stop'], {
    description:
      'A table that cannot be read: `pause` leaves its snapshot waiting for you, `skip` gives it up, and the other tables go on in both cases; `stop` stops the pipeline.',
    examples: ['skip'],
  }),
  'pause',
);

export function snapshotOptions({ example }: Words) {
  return {
    description: 'How existing rows are read.',
    examples: [{ workers: 4, where: { [`${example}.orders`]: "status <> 'archived'" } }],
  };
}

/** `lost`: what must be lost for everything to be read again. */
export function snapshotModeKey(lost: string) {
  return Default(
    OneOf(['initial', 'initial_only', 'never', 'when_needed'], {
      description: `initial: existing rows first, then changes. initial_only: existing rows, then stop. never: changes only. when_needed: like initial, and everything is read again when ${lost}.`,
      examples: ['initial'],
    }),
    'initial',
  );
}

/** `opening`: what `connection_timeout` bounds. */
export function poolKeys(opening: string) {
  return {
    max_connections: Default(
      Type.Integer({ minimum: 2, description: 'Connections at most, beside the one that streams.', examples: [10] }),
      8,
    ),
    connection_timeout: Default(Duration({ unit: 's', description: `How long ${opening} may take.`, examples: ['30s', 30] }), '30s'),
    idle_timeout: Default(
      Duration({ unit: 's', description: 'Close a connection that was not used for this long.', examples: ['5m', 300] }),
      '1m',
    ),
  };
}
export const poolOptions = { description: 'Connections for snapshots, checks and the catalog.' };

export const statementTimeoutKey = Default(
  Duration({ unit: 's', description: 'Longest time for one query of ours, chunks included; 0 = no limit.', examples: ['10m', 0] }),
  0,
);
