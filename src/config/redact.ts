// Configuration fit to be shown: `***` for what a schema marks as secret, and for passwords inside of URLs.

import { isSecretKey, redactText } from '../observability/redact.ts';
import { isMapping } from './document.ts';
import { isSecret, type JsonSchema, schemasOfItem, schemasOfKey } from './schema-walk.ts';

/** Up to the last `@`: a password that was not percent-encoded may hold `/` and `@` itself. */
const URL_PASSWORD = /\b([a-z][a-z0-9+.-]*:\/\/[^\s:/?#@]*):[^\s]*@/gi;

/** `postgresql://u:p@h/db` → `postgresql://u:***@h/db`; `?password=x`, `Password=x;` and the like as well. */
export function hideCredentials(text: string): string {
  return redactText(text.replace(URL_PASSWORD, '$1:***@'));
}

/**
 * A copy of `value` without secrets. What the schema does not know (open mappings such as `connector_config`) is judged by
 * the names of its keys.
 */
export function redact(value: unknown, schema: object): unknown {
  return redactBy(value, [schema as JsonSchema], null);
}

function redactBy(value: unknown, schemas: readonly JsonSchema[], key: string | null): unknown {
  const hidden = isSecret(schemas) || (schemas.length === 0 && key !== null && isSecretKey(key));
  if (hidden && value !== null && value !== undefined && value !== '' && typeof value !== 'boolean') return '***';
  if (Array.isArray(value))
    return value.map((item, i) =>
      redactBy(
        item,
        schemas.flatMap((schema) => schemasOfItem(schema, i)),
        null,
      ),
    );
  if (isMapping(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [
        name,
        redactBy(
          item,
          schemas.flatMap((schema) => schemasOfKey(schema, name)),
          name,
        ),
      ]),
    );
  }
  return typeof value === 'string' ? hideCredentials(value) : value;
}
