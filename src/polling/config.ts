// The key `watermark` of sources that are polled.

import { Default, Duration, Keys, OneOf, Type } from '../sdk/index.ts';

export const watermarkSchema = Keys(
  {
    column: Type.String({ minLength: 1, description: 'The column that grows with each change of a row.', examples: ['updated_at'] }),
    type: Default(
      OneOf(['timestamp', 'integer', 'text'], {
        description: 'timestamp: a date or time. integer: a counter. text: anything that sorts.',
        examples: ['timestamp'],
      }),
      'timestamp',
    ),
    key: Type.Optional(
      Type.Union([Type.String({ minLength: 1 }), Type.Array(Type.String({ minLength: 1 }), { minItems: 1 })], {
        description: 'Columns that tell rows with the same watermark apart. Default: the primary key.',
        examples: ['id', ['id']],
      }),
    ),
    settle: Default(
      Duration({
        unit: 's',
        description: 'How long a row is held back, so that a change with an older watermark that is committed later is not missed.',
        examples: ['5s'],
      }),
      '5s',
    ),
  },
  { description: 'What polling compares. Needed with `cdc_mode: polling`.', examples: [{ column: 'updated_at', type: 'timestamp' }] },
);
