// From a template and an event to a name at a broker. Pure.
//
// | template | event | name |
// |---|---|---|
// | `cdc.{schema}.{table}` | public.orders | `cdc.public.orders` |
// | `cdc.{schema}.{table}` | orders, without a schema | `cdc.orders` |
// | `shop/{table}` | orders | `shop/orders` |

import type { ChangeEvent, ConfigProblem } from '../sdk/index.ts';

export const WORDS = ['database', 'schema', 'table', 'source', 'topic'] as const;

export class NameTemplate {
  readonly #template: string;
  readonly #separator: string;
  readonly #clean: (value: string) => string;
  /** Those of the last event: events of a batch mostly share them. */
  #table: ChangeEvent['table'] | null = null;
  #source = '';
  #topic = '';
  #name = '';

  /** `separator` goes with a word that the event lacks. `clean` makes a value fit to stand in a name. */
  constructor(template: string, separator: string, clean: (value: string) => string = (value) => value) {
    this.#template = template;
    this.#separator = separator;
    this.#clean = clean;
  }

  /** The only name there is; `null`: it depends on the event. */
  get constant(): string | null {
    return this.#template.includes('{') ? null : this.#template;
  }

  /** `topic`: the one that the envelope gives the record. */
  of({ table, source }: ChangeEvent, topic: string): string {
    if (table === this.#table && source === this.#source && topic === this.#topic) return this.#name;
    const { database, schema, table: name } = table.id;
    const values: Readonly<Record<string, string | null>> = { database, schema, table: name, source, topic };
    let template = this.#template;
    for (const word of WORDS) if (!values[word]) template = without(template, `{${word}}`, this.#separator);
    this.#name = template.replace(/\{(\w+)\}/g, (_, word: string) => this.#clean(values[word] ?? ''));
    this.#table = table;
    this.#source = source;
    this.#topic = topic;
    return this.#name;
  }
}

function without(template: string, word: string, separator: string): string {
  return template
    .replaceAll(word + separator, '')
    .replaceAll(separator + word, '')
    .replaceAll(word, '');
}

export function templateProblems(path: string, template: string | undefined): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const rest = (template ?? '').replace(/\{([^{}]*)\}/g, (_, word: string) => {
    if (!(WORDS as readonly string[]).includes(word))
      problems.push({ path: [path], message: `"{${word}}" is not known`, fix: `Use ${WORDS.map((w) => `{${w}}`).join(', ')}.` });
    return '';
  });
  if (/[{}]/.test(rest)) problems.push({ path: [path], message: 'a brace has no other one', fix: 'Write cdc.{schema}.{table}.' });
  return problems;
}
