// Configuration of `data_masking`.

import { type ConfigOf, type ConfigProblem, Default, Keys, OneOf, Secret, Type } from 'cdc-run/sdk';

export const configSchema = Keys(
  {
    mask_fields: Type.Array(Type.String({ minLength: 1 }), {
      minItems: 1,
      description: 'Columns to mask; `address.street` is a part of a JSON column, in each element where there is a list.',
      examples: [['ssn', 'credit_card']],
    }),
    tables: Default(
      Type.Array(Type.String({ minLength: 1 }), {
        description: 'Tables in which they are masked: `people`, `public.people_*`. Empty: all.',
        examples: [['public.people']],
      }),
      [],
    ),
    strategy: Default(
      OneOf(['pattern', 'hash', 'partial', 'redact'], {
        description:
          'pattern = a fixed text; hash = HMAC-SHA256, equal values stay equal; partial = stars and the last characters; redact = null.',
        examples: ['hash'],
      }),
      'pattern',
    ),
    mask_pattern: Default(
      Type.String({
        minLength: 1,
        description:
          'What strategy `pattern` puts in place of a value. `#` is the character that stood there, counted from the end; everything else stands for itself.',
        examples: ['***-**-****', '***-**-####'],
      }),
      '****',
    ),
    keep_last: Default(
      Type.Integer({
        minimum: 0,
        maximum: 64,
        description: 'Characters that strategy `partial` leaves, but never more than half of the value.',
        examples: [4],
      }),
      4,
    ),
    key: Type.Optional(
      Secret({
        description: 'Key of strategy `hash`, at least 16 characters. With another key the same value gets another hash.',
        examples: ['${MASKING_KEY}'],
      }),
    ),
    other_types: Default(
      OneOf(['redact', 'fail'], {
        description:
          'A value that is no text (number, date, bytes) has no masked form: redact = it becomes null; fail = its event goes to the dead letter queue.',
        examples: ['fail'],
      }),
      'redact',
    ),
  },
  { description: 'Hides the content of columns before anything is stored.' },
);

export type MaskingConfig = ConfigOf<typeof configSchema>;

/** Short keys can be found by trying. */
const MIN_KEY_CHARS = 16;

export function validate(config: MaskingConfig): ConfigProblem[] {
  if (config.strategy !== 'hash') {
    return config.key === undefined
      ? []
      : [{ path: ['key'], message: `strategy ${config.strategy} uses no key`, fix: 'Set strategy: hash, or remove the key.' }];
  }
  if (config.key === undefined)
    return [{ path: [], message: 'strategy hash needs a key', fix: 'Set `key`, for example to ${MASKING_KEY}.' }];
  if (config.key.length >= MIN_KEY_CHARS) return [];
  return [
    {
      path: ['key'],
      message: `the key has ${config.key.length} characters`,
      fix: `Use a random key of at least ${MIN_KEY_CHARS} characters.`,
    },
  ];
}
