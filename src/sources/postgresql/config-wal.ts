// The configuration keys of `cdc_mode: wal`: slot, publication, messages.

import { type ConfigProblem, Default, Duration, Keys, OneOf, type Static, Type } from '../../sdk/index.ts';
import { modeOf } from './mode.ts';
import { isSlotName, MAX_NAME_BYTES } from './names.ts';

const patterns = (description: string, examples: readonly unknown[]) =>
  Type.Array(Type.String({ minLength: 1 }), { description, examples: [...examples] });

const publicationSchema = Keys(
  {
    name: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'Name of the publication. Default: `cdc_run_` and the name of the pipeline.',
        examples: ['cdc_orders'],
      }),
    ),
    create: Default(
      Type.Boolean({
        description:
          'Create the publication when it is missing, and add tables to it if it is our own. `false`: it must be there and hold all tables.',
        examples: [false],
      }),
      true,
    ),
  },
  { description: 'Which publication says what the server sends.' },
);

const heartbeatSchema = Keys(
  {
    interval: Duration({ unit: 's', minimum: 1, description: 'Time between two messages.', examples: ['5m'] }),
    prefix: Default(
      Type.String({ minLength: 1, description: 'Prefix of the messages. They are not passed on.', examples: ['cdc-run'] }),
      'cdc-run.heartbeat',
    ),
  },
  {
    description:
      'Writes a small message into the log from time to time (`pg_logical_emit_message`, which the role must be allowed to execute), so that the slot moves on while this database is quiet and others of the server write. Off by default: nothing is written at the source.',
    examples: [{ interval: '5m' }],
  },
);

const messagesSchema = Keys(
  {
    include: Default(patterns('Prefixes of messages that are passed on; `*` stands for any letters.', [['outbox.*']]), ['*']),
    exclude: Default(patterns('Prefixes of messages that are left out.', [['noise.*']]), []),
  },
  {
    description: 'Messages that applications write with `pg_logical_emit_message`; they become events of op `m`.',
    examples: [{ include: ['outbox.*'] }],
  },
);

export const walKeys = {
  slot_name: Type.Optional(
    Type.String({
      description: 'Replication slot; created when it is missing. Default: `cdc_run_` and the name of the pipeline.',
      examples: ['cdc_orders'],
    }),
  ),
  slot_drop_on_stop: Default(
    Type.Boolean({
      description: 'Drop the slot when the pipeline stops. Changes made while it is stopped are then lost: for trials only.',
      examples: [true],
    }),
    false,
  ),
  publication: Type.Optional(
    Type.Union([Type.String({ minLength: 1 }), publicationSchema], {
      description: 'Publication: its name, or name and more. It is created when it is missing.',
      examples: ['cdc_orders', { name: 'cdc_orders', create: false }],
    }),
  ),
  failover: Default(
    Type.Boolean({
      description: 'Have the slot kept in step on standbys, so that it outlives a failover. PostgreSQL 17 and later.',
      examples: [true],
    }),
    false,
  ),
  heartbeat: Type.Optional(heartbeatSchema),
  logical_messages: Default(messagesSchema, {}),
  on_truncate: Default(
    OneOf(['emit', 'ignore'], {
      description: '`emit`: TRUNCATE becomes an event of op `t`. `ignore`: it is left out, and the rows stay at the destinations.',
      examples: ['ignore'],
    }),
    'emit',
  ),
  status_interval: Default(
    Duration({
      unit: 's',
      minimum: 0.1,
      description: 'How often the server is told at the latest what it may forget. A third of its `wal_sender_timeout` is never exceeded.',
      examples: ['5s'],
    }),
    '10s',
  ),
};

const KEYS = Keys({ ...walKeys, cdc_mode: Type.Optional(OneOf(['wal', 'polling'], { description: '' })) });
type WalConfig = Static<typeof KEYS>;

/** The publication in its long form. */
export function publicationOf({ publication }: Pick<WalConfig, 'publication'>, fallback: string): { name: string; create: boolean } {
  if (typeof publication === 'string') return { name: publication, create: true };
  return { name: publication?.name ?? fallback, create: publication?.create ?? true };
}

/** Names that the server refuses; in the other mode the keys would silently do nothing. */
export function walProblems(config: WalConfig): ConfigProblem[] {
  if (modeOf(config) === 'polling') return strayProblems(config);
  const problems: ConfigProblem[] = [];
  if (config.slot_name !== undefined && !isSlotName(config.slot_name)) {
    problems.push({
      path: ['slot_name'],
      message: `"${config.slot_name}" cannot be the name of a slot`,
      fix: 'Use lower-case letters, digits and underscores, 63 at most.',
    });
  }
  const { name } = publicationOf(config, '');
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) {
    problems.push({
      path: ['publication'],
      message: 'the name is longer than 63 bytes',
      fix: 'Choose a shorter name: the server would cut it off.',
    });
  }
  return problems;
}

function strayProblems(config: WalConfig): ConfigProblem[] {
  return (['slot_name', 'publication', 'heartbeat'] as const)
    .filter((key) => config[key] !== undefined)
    .map((key) => ({ path: [key], message: `"${key}" is for \`cdc_mode: wal\``, fix: 'Remove it, or set `cdc_mode: wal`.' }));
}
