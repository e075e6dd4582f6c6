// Configuration of the `file` source.

import { extname } from 'node:path';
import { type ConfigOf, type ConfigProblem, Default, Duration, Keys, OneOf, Size, Type } from '../../sdk/index.ts';

const csvSchema = Keys(
  {
    delimiter: Default(Type.String({ minLength: 1, maxLength: 1, description: 'One character between fields.', examples: [';'] }), ','),
    quote: Default(
      Type.Union([Type.String({ minLength: 1, maxLength: 1 }), Type.Null()], {
        description: 'Character around fields; doubled, it stands for itself. null = none.',
      }),
      '"',
    ),
    header: Default(Type.Boolean({ description: 'The first record of each file names the columns.' }), true),
    columns: Default(
      Type.Union([Type.Array(Type.String({ minLength: 1 }), { minItems: 1, uniqueItems: true }), Type.Null()], {
        description: 'Names of the columns; with a header they replace its names. Required without a header.',
        examples: [['id', 'name']],
      }),
      null,
    ),
    null_value: Default(
      Type.Union([Type.String(), Type.Null()], {
        description: 'Unquoted text that means null; null = every field is text.',
        examples: ['', '\\N'],
      }),
      null,
    ),
  },
  { description: 'How CSV files are written.' },
);

export const configSchema = Keys(
  {
    path: Type.String({
      minLength: 1,
      description: 'A file, or a pattern with `*`, `?`, `**`, `{a,b}`. Relative to the working directory.',
      examples: ['data/orders.ndjson', 'in/**/*.csv'],
    }),
    format: Default(
      OneOf(['auto', 'ndjson', 'csv', 'json'], {
        description:
          'ndjson = a JSON object per line; json = one JSON array of objects; auto = by extension (.ndjson, .jsonl, .csv; .json by its first character).',
      }),
      'auto',
    ),
    table: Default(
      Type.String({
        minLength: 1,
        description: 'Table of the events. `{name}` is the name of the file without its extension, `{folder}` that of its folder.',
        examples: ['orders'],
      }),
      '{name}',
    ),
    key: Default(
      Type.Array(Type.String({ minLength: 1 }), {
        uniqueItems: true,
        description: 'Fields that identify a row. A record without one of them is malformed.',
        examples: [['id']],
      }),
      [],
    ),
    csv: Default(csvSchema, {}),
    encoding: Default(
      OneOf(['utf-8', 'latin1'], { description: 'Encoding of the text. Bytes that are not valid in it make a record malformed.' }),
      'utf-8',
    ),
    poll_interval: Default(Duration({ unit: 'ms', minimum: 1, description: 'How often files are looked at for more.' }), 250),
    max_line_bytes: Default(Size({ description: 'A longer record is malformed.', examples: ['4MiB'] }), 1_048_576),
    when_replaced: Default(
      OneOf(['fail', 'start_over'], {
        description:
          'When the file that was being read is neither there nor found under another name, so that unread data may be gone: stop, or warn and read the file that is there now from its beginning.',
      }),
      'fail',
    ),
  },
  { description: 'Reads records from files, and goes on reading as they grow and are rotated.' },
);

export type FileSourceConfig = ConfigOf<typeof configSchema>;
export type Format = 'ndjson' | 'csv' | 'json';

const BY_EXTENSION: Readonly<Record<string, Format | 'sniff'>> = {
  '.ndjson': 'ndjson',
  '.jsonl': 'ndjson',
  '.csv': 'csv',
  '.json': 'sniff',
};

/** The format of a file; `sniff`: an array when it begins with `[`, else lines; `null`: its name does not tell. */
export function formatOf(config: FileSourceConfig, name: string): Format | 'sniff' | null {
  if (config.format !== 'auto') return config.format;
  return BY_EXTENSION[extname(name).toLowerCase()] ?? null;
}

/** What the schema cannot say. */
export function validate(config: FileSourceConfig): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const { csv } = config;
  if (!/[*?{]/.test(config.path) && formatOf(config, config.path) === null) {
    problems.push({
      path: ['format'],
      message: `the extension of "${config.path}" does not tell the format`,
      fix: 'Set format to ndjson, csv or json.',
    });
  }
  if (!csv.header && csv.columns === null)
    problems.push({ path: ['csv', 'columns'], message: 'without a header nothing names the columns', fix: 'List the columns.' });
  if (csv.delimiter === csv.quote || /[\n\r]/.test(csv.delimiter))
    problems.push({ path: ['csv', 'delimiter'], message: 'is also the quote or a line end', fix: 'Choose another character.' });
  if (![csv.delimiter, csv.quote ?? ''].every((c) => c === '' || (c.codePointAt(0) as number) < 128)) {
    problems.push({ path: ['csv'], message: 'delimiter and quote must be ASCII characters', fix: 'Choose an ASCII character.' });
  }
  return problems;
}
