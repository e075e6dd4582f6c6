import { expect, it } from 'vitest';
import { transformationsOf } from '../../../src/debezium/transformations.ts';
import { Draft } from '../../../src/debezium/translation.ts';

function translated(type: string, settings: object = {}, tables: readonly string[] = ['public.outbox']) {
  const draft = new Draft(new Map());
  const properties = Object.fromEntries(Object.entries(settings).map(([name, value]) => [`transforms.t.${name}`, String(value)]));
  const result = transformationsOf({ transforms: 't', 'transforms.t.type': type, ...properties }, draft, tables);
  return { ...result, notes: draft.notes.map((n) => `${n.level} ${n.property}`) };
}
const UNWRAP = 'io.debezium.transforms.ExtractNewRecordState',
  OUTBOX = 'io.debezium.transforms.outbox.EventRouter';

it.each<[object, object | null, string[]]>([
  [{}, null, []],
  [{ 'delete.tombstone.handling.mode': 'rewrite' }, { deletes: 'rewrite' }, []],
  [{ 'delete.tombstone.handling.mode': 'drop' }, { deletes: 'drop' }, []],
  [{ 'delete.handling.mode': 'rewrite', 'drop.tombstones': 'true' }, { deletes: 'rewrite' }, []],
  [{ 'drop.tombstones': 'true' }, { deletes: 'drop' }, []],
  [{ 'drop.tombstones': 'false' }, null, []],
  [
    { 'add.fields': 'op,source.ts_ms,db:origin', 'add.fields.prefix': '_' },
    { add_columns: { _op: 'op', _source_ts_ms: 'source_ts_ms', origin: 'database' } },
    [],
  ],
  [{ 'add.fields': 'lsn' }, null, ['warning transforms.t.add.fields']],
  [{ 'add.headers': 'op' }, null, ['warning transforms.t.add.headers']],
  [{ 'delete.tombstone.handling.mode': 'none' }, null, ['error transforms.t.delete.tombstone.handling.mode']],
])('ExtractNewRecordState %j', (settings, params, notes) => {
  const t = translated(UNWRAP, settings);
  expect(t).toEqual({ isRow: true, transformers: params === null ? [] : [{ type: 'unwrap', params }], notes });
});

it.each<[object, object, string[], string[]]>([
  [{}, { tables: ['public.outbox'], expand_payload: false }, ['public.outbox'], []],
  [{}, { tables: ['*outbox*'], expand_payload: false }, ['public.*'], ['warning transforms.t.type']],
  [
    {
      'table.field.event.key': 'agg',
      'route.by.field': 'kind',
      'route.topic.replacement': 'out.${routedByValue}',
      'table.expand.json.payload': true,
    },
    { tables: ['public.outbox'], key_field: 'agg', topic_field: 'kind', topic: 'out.{value}' },
    ['public.outbox'],
    [],
  ],
  [
    { 'route.topic.regex': 'x' },
    { tables: ['public.outbox'], expand_payload: false },
    ['public.outbox'],
    ['warning transforms.t.route.topic.regex'],
  ],
])('EventRouter %j', (settings, params, tables, notes) => {
  expect(translated(OUTBOX, settings, tables)).toEqual({ isRow: false, transformers: [{ type: 'outbox', params }], notes });
});

it.each([
  'io.debezium.transforms.ByLogicalTableRouter',
  'io.debezium.transforms.Filter',
  'org.apache.kafka.connect.transforms.Cast$Value',
  'com.example.Own',
  '',
])('"%s" is to be decided', (type) => {
  expect(translated(type)).toEqual({ isRow: false, transformers: [], notes: ['error transforms.t.type'] });
});
