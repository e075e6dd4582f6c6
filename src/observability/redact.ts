// Keeps secrets out of everything that is shown: logs, error blocks, status, health. Applied at the edge, so that no caller has to
// remember it. Two rules: a value under a telling key is masked whole, and credentials inside any text are masked in place.

const MASK = '***';

/** `password`, `sasl_password`, `apiKey`, `x-auth-token` … but not `key` or `tokens_per_second`, which are wanted in logs. */
const SECRET_KEY = /(passw(or)?d|passphrase|secret|credential|authorization|cookie|(api|private|access|signing)[-_]?key|token)$/i;

/** `postgresql://user:secret@host`: everything between the first colon of the user part and its last `@`. */
const URL_CREDENTIALS = /\b([a-z][a-z0-9+.-]*:\/\/[^\s:/?#@]*):([^\s/?#]*)@/gi;
/** What has no password in an address of NATS is a token. */
const NATS_TOKEN = /\b((?:nats|tls):\/\/)[^\s:/?#@]+@/gi;
/** `?password=x`, `&token=x`, and connection strings: `host=db password=x`, `Password=x;`. */
const ASSIGNED = /\b((?:[a-z0-9_-]*(?:passw(?:or)?d|secret|token|api[-_]?key))\s*=\s*)('[^']*'|"[^"]*"|[^\s&;,'"]+)/gi;
const BEARER = /\b(bearer|basic)\s+[a-z0-9._~+/=-]{8,}/gi;

export function isSecretKey(key: string): boolean {
  return SECRET_KEY.test(key);
}

/** `postgresql://app:pw@db/shop → postgresql://app:***@db/shop`. Text without credentials is returned as it is. */
export function redactText(text: string): string {
  return text
    .replace(URL_CREDENTIALS, `$1:${MASK}@`)
    .replace(NATS_TOKEN, `$1${MASK}@`)
    .replace(ASSIGNED, `$1${MASK}`)
    .replace(BEARER, `$1 ${MASK}`);
}

/** A copy fit for JSON: secrets masked, bigints as text, bytes as their length, errors as what an operator needs of them. */
export function redact(value: unknown): unknown {
  return copyOf(value, []);
}

/** `within`: the objects that this value is part of; one of them again is a cycle. */
function copyOf(value: unknown, within: readonly object[]): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'function' || typeof value === 'symbol') return value.toString().slice(0, 40);
  if (typeof value !== 'object' || value === null) return value;
  if (within.includes(value)) return '…';
  const inside = [...within, value];
  if (value instanceof Uint8Array) return `<${value.byteLength} bytes>`;
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Error) return copyOfEntries(errorFields(value), inside);
  if (value instanceof Map) return copyOfEntries(Object.fromEntries(value), inside);
  if (value instanceof Set) return [...value].map((item) => copyOf(item, inside));
  if (Array.isArray(value)) return value.map((item) => copyOf(item, inside));
  return copyOfEntries(value, inside);
}

function copyOfEntries(value: object, inside: readonly object[]): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    const masked = isSecretKey(key) && item !== null && item !== undefined && typeof item !== 'boolean';
    copy[key] = masked ? MASK : copyOf(item, inside);
  }
  return copy;
}

function errorFields(error: Error): Record<string, unknown> {
  const fields: Record<string, unknown> =
    'toJSON' in error && typeof error.toJSON === 'function'
      ? { ...(error.toJSON() as object) }
      : { name: error.name, message: error.message };
  if (error.cause !== undefined) fields['cause'] = error.cause instanceof Error ? error.cause.message : error.cause;
  return fields;
}
