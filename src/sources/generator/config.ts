// Configuration of the `generator` source: made-up changes for tests, demonstrations and benchmarks.

import { type ConfigOf, type ConfigProblem, Default, Keys, OneOf, Type } from '../../sdk/index.ts';

const percent = (description: string) => Default(Type.Integer({ minimum: 0, maximum: 100, description }), 0);

const mixSchema = Keys(
  {
    create: percent('Percent of creates.'),
    update: percent('Percent of updates.'),
    delete: percent('Percent of deletes.'),
  },
  { description: 'Kinds of changes in percent; the three add up to 100.', examples: [{ create: 100 }] },
);

export const configSchema = Keys(
  {
    seed: Default(
      Type.Integer({
        minimum: 0,
        maximum: 0xffffffff,
        description: 'Another seed gives other changes; the same seed always the same ones.',
        examples: [7],
      }),
      1,
    ),
    count: Default(
      Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], { description: 'Events in all; null = endless.', examples: [1_000_000] }),
      null,
    ),
    rate: Default(
      Type.Union([Type.Number({ exclusiveMinimum: 0 }), Type.Null()], {
        description: 'Events per second over all partitions; null = as fast as they are asked for.',
        examples: [500],
      }),
      null,
    ),
    row_bytes: Default(
      Type.Integer({ minimum: 0, maximum: 1_048_576, description: 'Approximate size of a row as JSON.', examples: [1000] }),
      200,
    ),
    keys: Default(
      Type.Union([Type.Integer({ minimum: 1, maximum: 0xffffffff }), Type.Null()], {
        description:
          'Distinct keys of each partition. The first events create them all, then `mix` begins. null = each create makes a new key.',
        examples: [10_000],
      }),
      1000,
    ),
    mix: Default(mixSchema, { create: 10, update: 80, delete: 10 }),
    tables: Default(
      Type.Array(Type.String({ minLength: 1 }), {
        minItems: 1,
        uniqueItems: true,
        description: 'Tables that the keys are spread over.',
        examples: [['orders', 'customers']],
      }),
      ['events'],
    ),
    partitions: Default(
      Type.Integer({ minimum: 1, maximum: 1024, description: 'Partitions, each with a log and keys of its own.', examples: [4] }),
      1,
    ),
    event_time: Default(
      OneOf(['clock', 'sequence'], {
        description:
          'What an event says about its time at the source: the clock, or a time made from its number, so that events are equal in every run.',
      }),
      'clock',
    ),
  },
  { description: 'Makes up changes: event n is a pure function of seed, partition and n.' },
);

export type GeneratorConfig = ConfigOf<typeof configSchema>;

/** What the schema cannot say about `mix`. */
export function validate(config: GeneratorConfig): ConfigProblem[] {
  const { create, update, delete: deletes } = config.mix;
  const sum = create + update + deletes;
  if (sum !== 100)
    return [{ path: ['mix'], message: `create, update and delete add up to ${sum}`, fix: 'Choose percentages that add up to 100.' }];
  if (config.keys === null && (create === 0 || create < deletes)) {
    return [
      {
        path: ['mix', 'create'],
        message: `with "keys: null" ${create} % creates cannot feed ${deletes} % deletes`,
        fix: 'Set create to at least 1 and at least delete, or set keys.',
      },
    ];
  }
  return [];
}
