// Transformations of Kafka Connect → our transformers. Those that have a counterpart are translated, the others named.
//
// | there | here |
// |---|---|
// | ExtractNewRecordState | `envelope: row`, and `unwrap` for deletes and added fields |
// | EventRouter (outbox) | `outbox` |
// | MaskField | `data_masking` |
// | any other | a note |

import { type Draft, listOf } from './translation.ts';

export interface Transformations {
  /** Records are rows without envelope. */
  readonly isRow: boolean;
  readonly transformers: readonly { readonly type: string; readonly params: Readonly<Record<string, unknown>> }[];
}

type Settings = ReadonlyMap<string, string>;
interface Step {
  /** What stands before the settings: `transforms.unwrap.` */
  readonly prefix: string;
  readonly settings: Settings;
  readonly draft: Draft;
  readonly tables: readonly string[];
}
type Params = Readonly<Record<string, unknown>> | null;

const TYPES: readonly (readonly [type: RegExp, make: (step: Step) => readonly [type: string, params: Params]])[] = [
  [/\.ExtractNewRecordState$/, (step) => ['unwrap', unwrap(step)]],
  [/\.EventRouter$/, (step) => ['outbox', outbox(step)]],
  [/\.MaskField$/, (step) => ['data_masking', mask(step)]],
];
const ADVICE: readonly (readonly [type: RegExp, message: string, fix: string])[] = [
  [
    /\.(ByLogicalTableRouter|RegexRouter)$/,
    'topics are not renamed by expressions',
    'Name tables by the transformer `route`, or set `topic` of the destination.',
  ],
  [
    /\.(Filter|ContentBasedRouter)$/,
    'scripts of transformations do not run here',
    'Write the condition in CEL: `filter` of the destination, or the transformer `filter`.',
  ],
  [/\.ReplaceField$/, 'it is not translated', 'Use the transformers `drop` and `rename`.'],
  [/\.(Cast|TimestampConverter)$/, 'it is not translated', 'Use the transformer `cast`.'],
  [/\.Flatten$/, 'it is not translated', 'Use the transformer `flatten`.'],
];

/** `tables`: what is captured. */
export function transformationsOf(connector: Readonly<Record<string, string>>, draft: Draft, tables: readonly string[]): Transformations {
  const transformers: { type: string; params: Readonly<Record<string, unknown>> }[] = [];
  let isRow = false;
  for (const name of listOf(connector['transforms'] ?? '')) {
    const prefix = `transforms.${name}.`,
      type = (connector[`${prefix}type`] ?? '').replace(/\$(Key|Value)$/, '');
    const settings = new Map(
      Object.entries(connector).flatMap(([key, value]): [string, string][] =>
        key.startsWith(prefix) && key !== `${prefix}type` ? [[key.slice(prefix.length), value]] : [],
      ),
    );
    const known = TYPES.find(([pattern]) => pattern.test(type));
    if (known === undefined) {
      const [, message, fix] = ADVICE.find(([pattern]) => pattern.test(type)) ?? [
        null,
        `the transformation ${type || name} does not run here`,
        'Use a transformer.',
      ];
      draft.refuse(`${prefix}type`, message, fix);
      continue;
    }
    const [own, params] = known[1]({ prefix, settings, draft, tables });
    if (own === 'unwrap') isRow = true;
    if (params !== null) transformers.push({ type: own, params });
  }
  return { isRow, transformers };
}

/** Settings that were not used. */
function nameRest({ prefix, settings, draft }: Step, used: readonly string[]): void {
  for (const [name] of settings)
    if (!used.includes(name)) draft.warn(prefix + name, 'has no counterpart', 'Compare with what the readers take.');
}

const MARKS: Readonly<Record<string, string>> = {
  op: 'op',
  table: 'table',
  db: 'database',
  schema: 'schema',
  name: 'source',
  snapshot: 'snapshot',
  ts_ms: 'source_ts_ms',
  'transaction.id': 'transaction_id',
};
const DELETES: Readonly<Record<string, 'pass' | 'drop' | 'rewrite'>> = {
  tombstone: 'pass',
  'delete-to-tombstone': 'pass',
  drop: 'drop',
  rewrite: 'rewrite',
  'rewrite-with-tombstone': 'rewrite',
};

function unwrap(step: Step): Params {
  const { settings, prefix, draft } = step,
    fieldPrefix = settings.get('add.fields.prefix') ?? '__';
  const mode = settings.get('delete.tombstone.handling.mode') ?? olderMode(settings),
    deletes = DELETES[mode];
  if (deletes === undefined)
    draft.refuse(`${prefix}delete.tombstone.handling.mode`, `${mode} has no counterpart`, 'Set `deletes` of `unwrap`.');
  if (mode === 'rewrite-with-tombstone')
    draft.warn(`${prefix}delete.tombstone.handling.mode`, 'no tombstone follows', 'Set `deletes: pass` where one is needed.');
  const columns: Record<string, string> = {};
  for (const text of listOf(settings.get('add.fields') ?? '')) {
    const [field = '', renamed] = text.split(':'),
      // `ts_ms` alone is when Debezium has seen it, which nobody needs twice.
      mark = MARKS[field.replace(/^source\./, '')];
    const name = renamed ?? fieldPrefix + field.replaceAll('.', '_');
    if (mark === undefined) draft.warn(`${prefix}add.fields`, `nothing tells ${field}`, 'Leave it out.');
    else columns[name] = mark;
  }
  nameRest(step, ['add.fields', 'add.fields.prefix', 'delete.tombstone.handling.mode', 'delete.handling.mode', 'drop.tombstones']);
  const params = {
    ...(deletes === undefined || deletes === 'pass' ? {} : { deletes }),
    ...(deletes === 'rewrite' && fieldPrefix !== '__' ? { deleted_column: `${fieldPrefix}deleted` } : {}),
    ...(Object.keys(columns).length === 0 ? {} : { add_columns: columns }),
  };
  return Object.keys(params).length === 0 ? null : params;
}

/** Before Debezium 2.5: two settings. A delete that is dropped still has its tombstone, unless that is dropped, too. */
function olderMode(settings: Settings): string {
  const mode = settings.get('delete.handling.mode');
  if (mode === 'rewrite') return 'rewrite';
  if (mode === undefined && settings.get('drop.tombstones') === undefined) return 'tombstone';
  return settings.get('drop.tombstones') === 'false' ? 'tombstone' : (mode ?? 'drop');
}

const OUTBOX: Readonly<Record<string, string>> = {
  'table.field.event.id': 'id_field',
  'table.field.event.key': 'key_field',
  'table.field.event.payload': 'payload_field',
  'route.by.field': 'topic_field',
};

function outbox(step: Step): Params {
  const { settings, tables, draft, prefix } = step,
    named = tables.filter((table) => !/[*?]/.test(table));
  if (named.length === 0 || named.length < tables.length)
    draft.warn(`${prefix}type`, 'which tables are an outbox is guessed', 'Correct `tables` of the transformer `outbox`.');
  const fields = Object.entries(OUTBOX).flatMap(([theirs, ours]) => {
    const value = settings.get(theirs);
    return value === undefined ? [] : [[ours, value] as const];
  });
  const topic = settings.get('route.topic.replacement')?.replaceAll('${routedByValue}', '{value}'),
    hasTopic = topic?.includes('{value}') === true;
  if (topic !== undefined && !hasTopic)
    draft.refuse(`${prefix}route.topic.replacement`, 'the topic does not have the value', 'Set `topic` of the transformer `outbox`.');
  nameRest(step, [...Object.keys(OUTBOX), 'table.expand.json.payload', ...(topic === undefined ? [] : ['route.topic.replacement'])]);
  return {
    tables: named.length > 0 && named.length === tables.length ? named : ['*outbox*'],
    ...Object.fromEntries(fields),
    ...(hasTopic ? { topic } : {}),
    // Debezium's default.
    ...(settings.get('table.expand.json.payload') === 'true' ? {} : { expand_payload: false }),
  };
}

function mask(step: Step): Params {
  const { settings, draft, prefix } = step,
    fields = listOf(settings.get('fields') ?? '');
  nameRest(step, ['fields', 'replacement']);
  if (fields.length === 0) {
    draft.refuse(`${prefix}fields`, 'no field is named', 'Set `mask_fields` of `data_masking`.');
    return null;
  }
  const replacement = settings.get('replacement');
  return { mask_fields: fields, ...(replacement === undefined ? { strategy: 'redact' } : { mask_pattern: replacement }) };
}
