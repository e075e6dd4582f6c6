// Configuration of `route`.

import { type ConfigOf, type ConfigProblem, Keys, OneOf, Type } from 'cdc-run/sdk';
import { templateProblems } from './template.ts';

const routeSchema = Keys(
  {
    match: Type.String({
      minLength: 1,
      description:
        'Regular expression for the whole of `schema.table`, or of `table` where there is no schema. The first route that matches is taken.',
      examples: ['public\\.orders_(\\d{4})'],
    }),
    table: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'New name of the table: text, `$1` and `$<name>` for groups, `{database}`, `{schema}`, `{table}`, `{source}`. Without: as it was.',
        examples: ['orders', '{schema}_{table}'],
      }),
    ),
    schema: Type.Optional(
      Type.String({ description: 'New schema, written like `table`; an empty text: none. Without: as it was.', examples: ['archive'] }),
    ),
    key_column: Type.Optional(
      Keys(
        {
          name: Type.String({ minLength: 1, description: 'Name of the column.', examples: ['year'] }),
          value: Type.String({ minLength: 1, description: 'Its value, a text written like `table`.', examples: ['$1'] }),
        },
        { description: 'A column that is added to rows and key, so that equal keys of several tables stay apart in the one they go to.' },
      ),
    ),
    truncate: Type.Optional(
      OneOf(['pass', 'drop', 'fail'], {
        description:
          'A truncate of one table would empty all of the table it goes to. Without: pass where `match` has no wildcard, else fail, which sends it to the dead letter queue.',
        examples: ['drop'],
      }),
    ),
  },
  { description: 'Where some tables go.' },
);

export const configSchema = Keys(
  {
    routes: Type.Array(routeSchema, {
      minItems: 1,
      description: 'Which tables get which name. Others stay as they are.',
      examples: [[{ match: 'public\\.orders_(\\d{4})', table: 'orders' }]],
    }),
  },
  { description: 'Gives tables, and so the topics and tables they go to, other names.' },
);

export type RouteConfig = ConfigOf<typeof configSchema>;
export type RouteRule = RouteConfig['routes'][number];

export function validate({ routes }: RouteConfig): ConfigProblem[] {
  return routes.flatMap((rule, i) => problemsOf(rule).map((problem) => ({ ...problem, path: ['routes', i, ...problem.path] })));
}

function problemsOf(rule: RouteRule): ConfigProblem[] {
  let expression: RegExp;
  try {
    expression = new RegExp(`^(?:${rule.match})$|`, 'su');
  } catch (error) {
    return [{ path: ['match'], message: error instanceof Error ? error.message : String(error), fix: 'Correct the expression.' }];
  }
  if ((rule.table ?? rule.schema ?? rule.key_column) === undefined)
    return [{ path: [], message: 'the route changes nothing', fix: 'Give it `table` or `schema`.' }];
  const groups = expression.exec('') as RegExpExecArray;
  return [
    ...templateProblems(rule.table ?? '', groups).map((message) => ({ path: ['table'], message })),
    ...templateProblems(rule.schema ?? '', groups).map((message) => ({ path: ['schema'], message })),
    ...templateProblems(rule.key_column?.value ?? '', groups).map((message) => ({ path: ['key_column', 'value'], message })),
  ].map((problem) => ({ ...problem, fix: 'Correct the template, or add the group to `match`.' }));
}
