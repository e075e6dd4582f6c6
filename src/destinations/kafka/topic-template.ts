// From an event to the name of its topic. Pure. Names are made of letters, digits, `.`, `_` and `-`; anything else becomes `_`, as
// with Debezium.
//
// | template | event | topic |
// |---|---|---|
// | `cdc.{schema}.{table}` | public.orders | `cdc.public.orders` |
// | `cdc.{schema}.{table}` | orders, without a schema | `cdc.orders` |
// | `{topic}` | public.orders, envelope with the prefix shop | `shop.public.orders` |
// | `t-{table}` | `Kundenaufträge 2024` | `t-Kundenauftr_ge_2024` |

import type { ChangeEvent } from '../../sdk/index.ts';

export const PLACEHOLDERS: readonly string[] = ['{database}', '{schema}', '{table}', '{source}', '{topic}'];

/** Brokers refuse longer names. */
const MAX_NAME = 249;

export class TopicTemplate {
  readonly #template: string | null;
  /** The one of the last event: those of a batch mostly go to few topics. */
  #table: ChangeEvent['table'] | null = null;
  #source = '';
  #envelope = '';
  #topic = '';

  constructor(template: string | undefined) {
    this.#template = template ?? null;
  }

  /** The only topic there is; `null` when it depends on the event. */
  get constant(): string | null {
    return this.#template === null || this.#template.includes('{') ? null : topicName(this.#template);
  }

  /** `envelope`: the topic that the envelope gives the record. */
  of({ table, source }: ChangeEvent, envelope: string): string {
    if (table === this.#table && source === this.#source && envelope === this.#envelope) return this.#topic;
    const { database, schema, table: name } = table.id,
      parts: Readonly<Record<string, string | null>> = {
        '{database}': database,
        '{schema}': schema,
        '{table}': name,
        '{source}': source,
        '{topic}': envelope,
      };
    this.#table = table;
    this.#source = source;
    this.#envelope = envelope;
    this.#topic = topicName(this.#template === null ? envelope : filled(this.#template, parts));
    return this.#topic;
  }
}

/** What a system does not have leaves no gap: the dot beside it goes, too. */
function filled(template: string, parts: Readonly<Record<string, string | null>>): string {
  const withoutAbsent = Object.entries(parts).reduce(
    (text, [placeholder, value]) =>
      value === null ? text.replaceAll(`${placeholder}.`, '').replaceAll(`.${placeholder}`, '').replaceAll(placeholder, '') : text,
    template,
  );
  return withoutAbsent.replace(/\{[^{}]*\}/g, (placeholder) => parts[placeholder] ?? '');
}

export function topicName(text: string): string {
  const name = text.replace(/[^a-zA-Z0-9._-]/g, '_').slice(0, MAX_NAME);
  return name === '' || name === '.' || name === '..' ? '_' : name;
}
