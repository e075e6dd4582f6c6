// From an event to the subject of its message. Pure.
//
// | template | event | subject |
// |---|---|---|
// | `cdc.{database}.{schema}.{table}` | shop, public.orders | `cdc.shop.public.orders` |
// | `cdc.{database}.{schema}.{table}` | orders, of SQLite | `cdc.orders` |
// | `{topic}` | public.orders, envelope with the prefix shop | `shop.public.orders` |
// | `t.{table}` | `my table.2` | `t.my_table_2` |

import type { ChangeEvent } from '../../sdk/index.ts';
import { subjectOf, tokenOf } from '../../systems/nats/subject.ts';

export class SubjectTemplate {
  readonly #template: string;
  /** The one of the last event: those of a batch mostly go to few subjects. */
  #table: ChangeEvent['table'] | null = null;
  #source = '';
  #envelope = '';
  #subject = '';

  constructor(template: string) {
    this.#template = template;
  }

  /** Takes every subject that the template makes: `cdc.>`; `null`: it begins with a placeholder. */
  get pattern(): string | null {
    if (!this.#template.includes('{')) return this.#template;
    const fixed = this.#template.slice(0, this.#template.indexOf('{')),
      tokens = fixed.split('.').slice(0, -1);
    return tokens.length === 0 ? null : `${tokens.join('.')}.>`;
  }

  /** `envelope`: the topic that the envelope gives the record. */
  of({ table, source }: ChangeEvent, envelope: string): string {
    if (table === this.#table && source === this.#source && envelope === this.#envelope) return this.#subject;
    const { database, schema, table: name } = table.id;
    const parts: Readonly<Record<string, string | null>> = {
      '{database}': database === null ? null : tokenOf(database),
      '{schema}': schema === null ? null : tokenOf(schema),
      '{table}': tokenOf(name),
      '{source}': tokenOf(source),
      '{topic}': subjectOf(envelope),
    };
    this.#table = table;
    this.#source = source;
    this.#envelope = envelope;
    this.#subject = filled(this.#template, parts);
    return this.#subject;
  }
}

/** What a system does not have leaves no gap: the dot beside it goes, too. */
function filled(template: string, parts: Readonly<Record<string, string | null>>): string {
  const withoutAbsent = Object.entries(parts).reduce(
    (text, [placeholder, value]) =>
      value === null ? text.replaceAll(`${placeholder}.`, '').replaceAll(`.${placeholder}`, '').replaceAll(placeholder, '_') : text,
    template,
  );
  return withoutAbsent.replace(/\{[^{}]*\}/g, (placeholder) => parts[placeholder] ?? '');
}
