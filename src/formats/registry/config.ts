// The keys of a schema registry that speaks Confluent's API.

import { Default, Duration, Keys, OneOf, Secret, type Static, Type } from '../../sdk/index.ts';

export const registrySchema = Keys(
  {
    url: Type.String({
      minLength: 1,
      description: "Address of the registry's API, with its path if it has one.",
      examples: ['http://localhost:8081', 'https://registry.example.com/apis/ccompat/v7'],
    }),
    username: Type.Optional(Type.String({ description: 'User to log in as (basic authentication).', examples: ['cdc'] })),
    password: Type.Optional(Secret({ description: 'Password of the user.', examples: ['${REGISTRY_PASSWORD}'] })),
    token: Type.Optional(Secret({ description: 'Token to log in with (bearer authentication).', examples: ['${REGISTRY_TOKEN}'] })),
    ca: Type.Optional(
      Type.String({
        description: "File with the certificates (PEM) of the authorities to trust, instead of the system's.",
        examples: ['ca.pem'],
      }),
    ),
    subject_strategy: Default(
      OneOf(['topic', 'record', 'topic_record'], {
        description:
          'The subject of a schema: `<topic>-value` and `<topic>-key`, the name of the record, or `<topic>-<name of the record>`. `value_schema` and `key_schema` come before it.',
      }),
      'topic',
    ),
    auto_register: Default(
      Type.Boolean({
        description:
          'Register the schemas of tables, new versions when tables change. Without: a schema that is not registered is an error, and with `value_schema` the newest version of that subject is written.',
      }),
      true,
    ),
    compatibility: Type.Optional(
      OneOf(['NONE', 'BACKWARD', 'BACKWARD_TRANSITIVE', 'FORWARD', 'FORWARD_TRANSITIVE', 'FULL', 'FULL_TRANSITIVE'], {
        description: 'Set for each subject before we register in it. Without: as the registry has it.',
        examples: ['BACKWARD'],
      }),
    ),
    request_timeout: Default(Duration({ unit: 's', description: 'How long to wait for an answer.', examples: ['10s'] }), '10s'),
    cache_ttl: Default(
      Duration({ unit: 's', description: 'How long the newest version of a subject is taken for the newest.', examples: ['5m'] }),
      '5m',
    ),
    cache_size: Default(
      Type.Integer({ minimum: 1, description: 'Schemas that are kept; the one used longest ago goes first.', examples: [1000] }),
      1000,
    ),
  },
  { description: "A schema registry with Confluent's API (Confluent, Apicurio, Karapace, Redpanda)." },
);

export type RegistryConfig = Static<typeof registrySchema>;
