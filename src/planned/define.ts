// A type that is known but cannot run yet: its keys are validated, running it is an error that says so. Keys are those of the
// design documents; a type moves out of this folder when it is built.

import { Duration, Keys, OneOf, Secret, type TObject, type TSchema, Type } from '../sdk/index.ts';

export type Properties = TObject['properties'];

export interface PlannedDescriptor<S extends TSchema = TSchema> {
  readonly kind: 'source' | 'destination' | 'transformer' | 'middleware' | 'hook';
  readonly type: string;
  readonly aliases?: readonly string[];
  readonly title: string;
  readonly planned: true;
  readonly config: S;
}

type Planned = Omit<PlannedDescriptor<TObject>, 'kind' | 'planned' | 'config'> & { readonly keys: Properties };

const define =
  (kind: PlannedDescriptor['kind']) =>
  ({ keys, ...rest }: Planned): PlannedDescriptor<TObject> => ({
    kind,
    ...rest,
    planned: true,
    config: Keys(keys, { description: rest.title }),
  });

export const plannedSource = define('source');
export const plannedDestination = define('destination');
export const plannedTransformer = define('transformer');
export const plannedMiddleware = define('middleware');

// Short forms for optional keys, so that a type's keys read like its section of the documents.

export const text = (description: string, example: string): TSchema =>
  Type.Optional(Type.String({ minLength: 1, description, examples: [example] }));
export const texts = (description: string, example: string): TSchema =>
  Type.Optional(Type.Array(Type.String({ minLength: 1 }), { description, examples: [[example]] }));
/** One text, or a list of them. */
export const textOrTexts = (description: string, example: string): TSchema =>
  Type.Optional(
    Type.Union([Type.String({ minLength: 1 }), Type.Array(Type.String({ minLength: 1 }), { minItems: 1 })], {
      description,
      examples: [example],
    }),
  );
export const whole = (description: string, example: number, minimum = 0): TSchema =>
  Type.Optional(Type.Integer({ minimum, description, examples: [example] }));
export const decimal = (description: string, example: number): TSchema =>
  Type.Optional(Type.Number({ minimum: 0, description, examples: [example] }));
export const flag = (description: string): TSchema => Type.Optional(Type.Boolean({ description, examples: [true] }));
export const choice = (values: readonly string[], description: string): TSchema =>
  Type.Optional(OneOf(values, { description, examples: [values[0]] }));
export const secret = (description: string, variable: string): TSchema =>
  Type.Optional(Secret({ description, examples: [`\${${variable}}`] }));
export const duration = (description: string, example: string | number, unit: 's' | 'ms' = 's'): TSchema =>
  Type.Optional(Duration({ unit, description, examples: [example] }));
export const group = (keys: Properties, description: string): TSchema => Type.Optional(Keys(keys, { description }));
export const open = (description: string): TSchema => Type.Optional(Type.Object({}, { additionalProperties: true, description }));
/** Undoes the optional of the short forms. */
export const required = (schema: TSchema): TSchema => {
  const { [Symbol.for('TypeBox.Optional')]: _, ...rest } = schema as unknown as Record<symbol, unknown>;
  return rest as unknown as TSchema;
};

/** Where a server is: an address, or its parts. */
export const serverKeys = (port: number, scheme: string): Properties => ({
  url: text('Address of the server, in place of the parts below.', `${scheme}://localhost:${port}`),
  host: text('Host name.', 'localhost'),
  port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535, description: `Port. Usually ${port}.`, examples: [port] })),
  username: text('User name.', 'cdc_user'),
  password: secret('Password.', 'PASSWORD'),
  tls: Type.Optional(
    Type.Union(
      [
        Type.Boolean(),
        Keys({
          ca: text('File with the authority certificate.', 'ca.pem'),
          cert: text('File with our certificate.', 'client.pem'),
          key: text('File with the key of our certificate.', 'client.key'),
          verify: flag('Check the name and the chain of the certificate of the server.'),
        }),
      ],
      { description: 'Encrypt the connection.', examples: [true] },
    ),
  ),
});

/** What a captured table is, in every database. */
export const captureKeys: Properties = {
  table: text('The table to capture.', 'orders'),
  tables: texts('Tables to capture; `*` stands for any letters.', 'public.order_*'),
  columns: group({ include: texts('Only these columns.', 'id'), exclude: texts('All but these columns.', 'note') }, 'Columns to capture.'),
  snapshot_mode: choice(['initial', 'initial_only', 'never', 'when_needed'], 'Whether existing rows are read first.'),
};

/** Polling with a query or a growing column. */
export const pollingKeys: Properties = {
  query: text(
    'Query to poll with; `:last_sync` is the watermark of the last row.',
    'SELECT * FROM orders WHERE updated_at > :last_sync ORDER BY updated_at',
  ),
  watermark: group(
    {
      column: required(text('Column that grows with every change.', 'updated_at')),
      type: choice(['timestamp', 'integer', 'text'], 'Type of the column.'),
      key: textOrTexts('Columns that tell rows with the same watermark apart.', 'id'),
      settle: duration('How long rows may still appear with an older watermark.', '5s'),
    },
    'How to find what is new.',
  ),
  poll_interval: duration('Time between two queries.', '5s'),
};
