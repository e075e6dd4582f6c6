// Configuration of the `file` destination.

import { extname } from 'node:path';
import { type ConfigOf, type ConfigProblem, Default, Duration, Keys, OneOf, Size, Type } from '../../sdk/index.ts';
import { PLACEHOLDERS } from './path-template.ts';

const csvSchema = Keys(
  {
    delimiter: Default(Type.String({ minLength: 1, maxLength: 1, description: 'One character between fields.', examples: [';'] }), ','),
    header: Default(Type.Boolean({ description: 'Begin each file with the names of the columns.' }), true),
    null_value: Default(
      Type.String({ description: 'Text for null, unquoted. Text that reads the same is quoted.', examples: ['\\N'] }),
      '',
    ),
    absent_value: Default(
      Type.String({
        description: 'Text, unquoted, for a column that the event does not have: the source did not send it.',
        examples: [''],
      }),
      '__absent__',
    ),
  },
  { description: 'How CSV files are written.' },
);

const rotateSchema = Keys(
  {
    size: Default(
      Size({ description: 'Begin a new file before a batch when the present one has this size; 0 = never.', examples: ['256MiB'] }),
      0,
    ),
    interval: Default(
      Duration({ unit: 's', description: 'Begin a new file when the present one is this old; 0 = never.', examples: ['1h'] }),
      0,
    ),
    max_files: Default(
      Type.Integer({ minimum: 0, description: 'Rotated files to keep of each; older ones are deleted. 0 = all.', examples: [10] }),
      0,
    ),
  },
  {
    description:
      'When a new file is begun. The present one is always called `orders.ndjson`, older ones `orders.1.ndjson`, `orders.2.ndjson` and so on.',
  },
);

export const configSchema = Keys(
  {
    path: Type.String({
      minLength: 1,
      examples: ['out/{schema}/{table}.ndjson'],
      description:
        'Where to write, relative to the working directory. `{database}`, `{schema}`, `{table}` and `{date}` (day of the change at the source, UTC) are filled in.',
    }),
    format: Default(
      OneOf(['auto', 'ndjson', 'csv'], {
        description: 'ndjson = a record of the envelope per line; csv = the columns of the row; auto = csv for files called `.csv`.',
      }),
      'auto',
    ),
    csv: Default(csvSchema, {}),
    rotate: Default(rotateSchema, {}),
    fsync: Default(
      Type.Boolean({
        description: 'Make each batch durable before it counts as delivered. Without, a power failure may lose data that was confirmed.',
      }),
      true,
    ),
    mode: Default(Type.String({ pattern: '^0?[0-7]{3}$', description: 'Permissions of new files, octal.', examples: ['0644'] }), '0600'),
  },
  { description: 'Appends changes to files, each batch whole or not at all.' },
);

export type FileDestinationConfig = ConfigOf<typeof configSchema>;

export function formatOf(config: FileDestinationConfig): 'ndjson' | 'csv' {
  if (config.format !== 'auto') return config.format;
  return extname(config.path).toLowerCase() === '.csv' ? 'csv' : 'ndjson';
}

/** What the schema cannot say. */
export function validate(config: FileDestinationConfig): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  for (const [placeholder] of config.path.matchAll(/\{[^{}]*\}/g)) {
    if (PLACEHOLDERS.includes(placeholder)) continue;
    problems.push({ path: ['path'], message: `"${placeholder}" is not known`, fix: `Use ${PLACEHOLDERS.join(', ')}.` });
  }
  if (/(^|\/)(\.\.?)?$/.test(config.path))
    problems.push({ path: ['path'], message: `"${config.path}" names a folder`, fix: 'Add the name of a file, such as `{table}.ndjson`.' });
  if (config.rotate.max_files > 0 && config.rotate.size === 0 && config.rotate.interval === 0 && formatOf(config) === 'ndjson') {
    problems.push({ path: ['rotate', 'max_files'], message: 'nothing is ever rotated', fix: 'Set rotate.size or rotate.interval.' });
  }
  if (/["\r\n]/.test(config.csv.delimiter))
    problems.push({ path: ['csv', 'delimiter'], message: 'cannot be a quote or a line end', fix: 'Choose another character.' });
  return problems;
}
