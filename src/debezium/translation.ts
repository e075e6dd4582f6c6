// What becomes of a Debezium connector: the keys of our own source, where each of them comes from, and what could not be honoured.

/** One property that is not honoured as it stands. Invariant of the translation: none is passed over in silence. */
export interface Note {
  /** As Debezium spells it. */
  readonly property: string;
  /** error: without it other data would go out than was asked for. warning: all else. */
  readonly level: 'error' | 'warning';
  readonly message: string;
  readonly fix: string;
  /** It is of the records: the `debezium` envelope of a destination has an option for it. */
  readonly isOfRecords?: true;
}

export type SourceType = 'postgresql' | 'mysql';

export interface Translation {
  readonly type: SourceType;
  /** The connector's name for itself in records and topics: `topic.prefix`. */
  readonly name: string | null;
  readonly keys: Readonly<Record<string, unknown>>;
  /** Key of ours → the property that it was made of. */
  readonly origins: ReadonlyMap<string, string>;
  readonly notes: readonly Note[];
  /** Options of the `debezium` envelope that the connector's settings stand for. */
  readonly envelope: Readonly<Record<string, unknown>>;
}

/** Properties, all as texts. */
export type Properties = ReadonlyMap<string, string>;

/** Debezium's properties are texts; YAML and JSON may have numbers and booleans. Other values are named. */
export function propertiesOf(config: Readonly<Record<string, unknown>>): { properties: Properties; notes: Note[] } {
  const properties = new Map<string, string>(),
    notes: Note[] = [];
  for (const [name, value] of Object.entries(config)) {
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') properties.set(name, String(value).trim());
    else if (Array.isArray(value) && value.every((v) => typeof v === 'string')) properties.set(name, value.join(','));
    else if (value !== null)
      notes.push({
        property: name,
        level: 'error',
        message: 'is no text, number or boolean',
        fix: 'Write the property as Debezium takes it.',
      });
  }
  return { properties, notes };
}

/** `a, b,,c` → its parts. A comma within brackets or braces belongs to an expression. */
export function listOf(text: string): string[] {
  return text
    .split(/,(?![^[{(]*[\]})])/)
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

/** Collects while the rules are applied. */
export class Draft {
  readonly keys: Record<string, unknown> = {};
  readonly origins = new Map<string, string>();
  readonly notes: Note[] = [];
  readonly envelope: Record<string, unknown> = {};
  readonly properties: Properties;

  constructor(properties: Properties) {
    this.properties = properties;
  }

  get(property: string): string | undefined {
    return this.properties.get(property);
  }

  /** `key` may lead into a mapping: `snapshot.workers`. */
  set(key: string, value: unknown, property: string): void {
    const [first = key, second] = key.split('.', 2);
    if (second === undefined) this.keys[first] = value;
    else this.keys[first] = { ...(this.keys[first] as object | undefined), [second]: value };
    if (!this.origins.has(first)) this.origins.set(first, property);
  }

  warn(property: string, message: string, fix: string): void {
    this.notes.push({ property, level: 'warning', message, fix });
  }

  refuse(property: string, message: string, fix: string): void {
    this.notes.push({ property, level: 'error', message, fix });
  }

  /** Of the records: an option of the envelope, and a warning for those who only have the source. */
  option(property: string, option: string, value: unknown): void {
    this.envelope[option] = value;
    this.notes.push({
      property,
      level: 'warning',
      message: 'is of the records, which the destination writes',
      fix: `Set \`${option}: ${String(value)}\` in the \`envelope\` of the destination.`,
      isOfRecords: true,
    });
  }
}
