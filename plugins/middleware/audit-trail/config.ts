// Configuration of `audit_trail`.

import { type ConfigOf, type ConfigProblem, Default, Keys, OneOf, Secret, Type } from 'cdc-run/sdk';

export const configSchema = Keys(
  {
    audit_level: Default(
      OneOf(['full', 'basic'], {
        description: 'basic = which events went where and when; full = with digests of their rows, so that a row can be proven later.',
        examples: ['full'],
      }),
      'basic',
    ),
    immutable_log: Default(
      Type.Boolean({
        description: 'true: a log that was changed, cut or removed stops the pipeline. false: it is moved aside and a new one begins.',
        examples: [true],
      }),
      true,
    ),
    digital_signature: Default(
      Type.Boolean({
        description: 'Signs each record: with `key`, with `private_key_file`, or with a key that is made beside the log.',
        examples: [true],
      }),
      false,
    ),
    path: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'The log. Without: `.cdc/audit/<pipeline>.ndjson`.',
        examples: ['.cdc/audit/orders.ndjson'],
      }),
    ),
    key: Type.Optional(
      Secret({ description: 'Secret of at least 16 characters for signatures and digests by HMAC-SHA256.', examples: ['${AUDIT_KEY}'] }),
    ),
    private_key_file: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'PEM file with an Ed25519 private key for the signatures.',
        examples: ['secrets/audit.pem'],
      }),
    ),
  },
  { description: 'Keeps a log of every write, chained by hashes.' },
);

export type AuditConfig = ConfigOf<typeof configSchema>;

/** Short keys can be found by trying. */
const MIN_KEY_CHARS = 16;

export function validate(config: AuditConfig): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (config.key !== undefined && config.private_key_file !== undefined) {
    problems.push({ path: ['private_key_file'], message: 'key and private_key_file exclude each other', fix: 'Remove one of the two.' });
  }
  for (const name of ['key', 'private_key_file'] as const) {
    if (config[name] === undefined || config.digital_signature) continue;
    problems.push({
      path: [name],
      message: `${name} has no use without digital_signature`,
      fix: `Set digital_signature: true, or remove ${name}.`,
    });
  }
  if (config.key !== undefined && config.key.length < MIN_KEY_CHARS) {
    problems.push({
      path: ['key'],
      message: `the key has ${config.key.length} characters`,
      fix: `Use a random key of at least ${MIN_KEY_CHARS} characters.`,
    });
  }
  return problems;
}
