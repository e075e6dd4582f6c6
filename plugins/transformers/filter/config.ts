// Configuration of `filter`.

import { type ConfigOf, Default, Keys, OneOf, Type } from 'cdc-run/sdk';

export const configSchema = Keys(
  {
    expression: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'CEL expression over `op`, `table`, `schema`, `source`, `ts_ms`, `key`, `before`, `after`, `row` and `headers`, true or false.',
        examples: ['row.amount > 100 && row.status == "paid"'],
      }),
    ),
    tables: Default(
      Type.Array(Type.String({ minLength: 1 }), {
        description: 'Tables this is about: `orders`, `public.order_*`. Empty: all.',
        examples: [['public.orders']],
      }),
      [],
    ),
    ops: Default(
      Type.Array(
        OneOf(['c', 'u', 'd', 'r', 't', 'm', 's'], {
          description: 'create, update, delete, read (snapshot), truncate, message, schema change',
        }),
        {
          description: 'Operations this is about. Empty: all.',
          examples: [['c', 'u']],
        },
      ),
      [],
    ),
    mode: Default(
      OneOf(['keep', 'drop'], {
        description: 'What happens to events that fulfil all conditions; the others get the opposite.',
        examples: ['drop'],
      }),
      'keep',
    ),
    on_error: Default(
      OneOf(['fail', 'keep', 'drop'], {
        description:
          'An event for which the expression cannot be evaluated (a missing column, a null that is compared): fail sends it to the dead letter queue.',
        examples: ['keep'],
      }),
      'fail',
    ),
  },
  { description: 'Keeps or drops events.' },
);

export type FilterConfig = ConfigOf<typeof configSchema>;
