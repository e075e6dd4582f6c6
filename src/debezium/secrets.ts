// Values for a file that people share: secrets become variables of the environment, and the variables of Debezium's world ours.
//
// | there | here |
// |---|---|
// | `database.password=dbz` | `${DATABASE_PASSWORD}` |
// | `${env:PG_PASSWORD}` (Kafka Connect), `${PG_PASSWORD}` (Debezium Server) | `${PG_PASSWORD}` |
// | `${PG_HOST:localhost}` (Debezium Server) | `${PG_HOST:-localhost}` |
// | `${file:/opt/secrets.properties:password}` | `${PASSWORD}` |
// | `a${b` | `a$${b` |

/** What was taken out, so that it can be told: the variable, and the property that it stood in. */
export interface Variable {
  readonly name: string;
  readonly property: string;
  /** Where its value is now: in the file itself, at a provider, in the environment, or with the worker of Kafka Connect. */
  readonly from: 'file' | 'provider' | 'environment' | 'worker';
  /** It may be missing. */
  readonly hasDefault?: true;
}

const SECRET = /(^|[._-])(password|secret|token|credentials?|passphrase|(api|access|private|secret)[._-]?key|jaas\.config)($|[._-])/i;

export const isSecretProperty = (name: string): boolean => SECRET.test(name);

const PROVIDED = /\$\{([^}]*)\}/g;

export class Values {
  readonly variables: Variable[] = [];

  /** The value as a pipeline file takes it. */
  of(property: string, value: string): string {
    if (value.includes('${')) return this.#references(property, value);
    if (value === '' || !isSecretProperty(property)) return value;
    return this.variable(property);
  }

  /** A variable in place of what stands there. */
  variable(property: string, name = nameOf(property), from: Variable['from'] = 'file'): string {
    this.#note({ name, property, from });
    return `\${${name}}`;
  }

  #references(property: string, value: string): string {
    let out = '',
      at = 0;
    for (const match of value.matchAll(PROVIDED)) {
      out += escaped(value.slice(at, match.index)) + this.#reference(property, match[1] as string);
      at = match.index + match[0].length;
    }
    return out + escaped(value.slice(at));
  }

  #reference(property: string, inside: string): string {
    const parts = inside.split(':'),
      [first = ''] = parts;
    if (first === 'env' && parts.length === 2) return this.#own(property, parts[1] as string, undefined);
    if (parts.length === 1 || /^[A-Z_][A-Z0-9_.]*$/.test(first))
      return this.#own(property, first, inside.slice(first.length + 1) || undefined);
    // A provider of Kafka Connect: `${file:/path:key}`, `${vault:path:key}`.
    const name = nameOf(parts.at(-1) as string);
    this.#note({ name, property, from: 'provider' });
    return `\${${name}}`;
  }

  #own(property: string, variable: string, fallback: string | undefined): string {
    const name = nameOf(variable);
    const hasDefault = fallback !== undefined && !isSecretProperty(property);
    this.#note({ name, property, from: 'environment', ...(hasDefault ? { hasDefault } : {}) });
    return hasDefault ? `\${${name}:-${escaped(fallback)}}` : `\${${name}}`;
  }

  #note(variable: Variable): void {
    if (!this.variables.some((v) => v.name === variable.name && v.property === variable.property)) this.variables.push(variable);
  }
}

const escaped = (text: string): string => text.replaceAll('${', () => '$${');

/** `database.password` → `DATABASE_PASSWORD` */
function nameOf(property: string): string {
  const name = property
    .toUpperCase()
    .replaceAll(/[^A-Z0-9]+/g, '_')
    .replaceAll(/^_+|_+$/g, '');
  return /^[A-Z]/.test(name) ? name : `CDC_${name}`;
}
