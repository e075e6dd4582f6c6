// Configuration of `outbox`. Its defaults are the column names of Debezium's event router.

import { type ConfigOf, type ConfigProblem, Default, Keys, OneOf, Type } from 'cdc-run/sdk';
import { typeSchema } from '../../shared/column-type.ts';

const column = (description: string, name: string) => Default(Type.String({ minLength: 1, description, examples: [name] }), name);

const fieldSchema = Keys(
  {
    column: Type.String({ minLength: 1, description: 'Column of the outbox table.', examples: ['type'] }),
    to: OneOf(['header', 'value'], { description: 'Where its value goes.', examples: ['header'] }),
    name: Type.Optional(
      Type.String({ minLength: 1, description: 'Its name there. Without: that of the column.', examples: ['eventType'] }),
    ),
  },
  { description: 'One more column that goes along.' },
);

export const configSchema = Keys(
  {
    tables: Type.Array(Type.String({ minLength: 1 }), {
      minItems: 1,
      description: 'Outbox tables: `outbox`, `public.outbox_*`. Events of other tables stay as they are.',
      examples: [['public.outbox']],
    }),
    id_field: column('Column with the id of the event, which becomes the header `id`.', 'id'),
    key_field: column('Column with the id of the aggregate: key of the message, so that its events keep their order.', 'aggregateid'),
    topic_field: column('Column whose value makes the topic.', 'aggregatetype'),
    payload_field: column('Column with the message.', 'payload'),
    topic: Default(
      Type.String({
        pattern: '\\{value\\}',
        'x-expected': 'a text with {value}',
        description: 'Topic, or table, of the message; `{value}` is the value of `topic_field`.',
        examples: ['outbox.event.{value}'],
      }),
      'outbox.event.{value}',
    ),
    expand_payload: Default(
      Type.Boolean({
        description: 'What is in a JSON payload becomes the columns of the message. false: the payload is one column.',
        examples: [false],
      }),
      true,
    ),
    columns: Default(
      Type.Record(Type.String(), typeSchema('Type of the column.'), {
        description:
          'Path in the payload: type of the column that it becomes, as in `flatten`. Without, messages have no schema: enough for JSON, too little for Avro and tables.',
        examples: [{ order_id: 'int64', 'customer.name': 'string' }],
      }),
      {},
    ),
    others: Default(
      OneOf(['fail', 'drop'], {
        description: 'What happens to parts of the payload that `columns` does not name: fail = to the dead letter queue; drop = left out.',
        examples: ['drop'],
      }),
      'fail',
    ),
    fields: Default(
      Type.Array(fieldSchema, {
        description: 'More columns that go along.',
        examples: [[{ column: 'type', to: 'header', name: 'eventType' }]],
      }),
      [],
    ),
    empty_payload: Default(
      OneOf(['fail', 'tombstone'], {
        description:
          'A payload that is null: tombstone = a delete of the key, which is a key without a value; fail = to the dead letter queue.',
        examples: ['tombstone'],
      }),
      'fail',
    ),
    on_update: Default(
      OneOf(['fail', 'drop'], {
        description: 'Rows of an outbox are only added and deleted. An update: fail = to the dead letter queue; drop = left out.',
        examples: ['drop'],
      }),
      'fail',
    ),
  },
  { description: 'Rows of an outbox table as messages.' },
);

export type OutboxConfig = ConfigOf<typeof configSchema>;

export function validate({ columns, expand_payload: expands, fields }: OutboxConfig): ConfigProblem[] {
  if (!expands && Object.keys(columns).length > 0)
    return [
      { path: ['columns'], message: 'a payload that is not expanded has no columns', fix: 'Remove `columns`, or `expand_payload: false`.' },
    ];
  const names = fields.map(({ to, name, column }) => `${to} "${name ?? column}"`),
    twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) return [{ path: ['fields'], message: `two fields become the ${twice}`, fix: 'Give each a name of its own.' }];
  return names.includes('header "id"')
    ? [{ path: ['fields'], message: 'the header "id" is the id of the event', fix: 'Choose another name.' }]
    : [];
}
