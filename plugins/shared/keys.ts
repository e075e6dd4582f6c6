// Configuration keys that several plugins have.

import { Default, Type } from 'cdc-run/sdk';

export const tablesKey = Default(
  Type.Array(Type.String({ minLength: 1 }), {
    description: 'Tables this is about: `orders`, `public.order_*`. Empty: all.',
    examples: [['public.orders']],
  }),
  [],
);
