// Names as Avro takes them, made as Debezium does with `schema.name.adjustment.mode` and `field.name.adjustment.mode` `avro`.
// https://debezium.io/documentation/reference/stable/configuration/avro.html#avro-naming
//
// | name | as schema | as field |
// |---|---|---|
// | `shop.public.orders` | `shop.public.orders` | `shop_public_orders` |
// | `my-shop.öl.2020` | `my_shop._l._2020` | |
// | `unit price`, `1st` | | `unit_price`, `_1st` |

/** A name with its namespace. */
export function schemaName(name: string): string {
  return name
    .split('.')
    .map((part) => fieldName(part))
    .join('.');
}

export function fieldName(name: string): string {
  const valid = name.replace(/[^A-Za-z0-9_]/g, '_');
  return valid === '' || /^[0-9]/.test(valid) ? `_${valid}` : valid;
}

/** Names that become the same get a number: `a-b`, `a_b` → `a_b_2`, `a_b`. A name that is valid keeps it. */
export function fieldNames(columns: readonly string[]): readonly string[] {
  const taken = new Set(columns.filter((name) => fieldName(name) === name));
  return columns.map((column) => {
    const name = fieldName(column);
    if (name === column) return name;
    let free = name;
    for (let n = 2; taken.has(free); n++) free = `${name}_${n}`;
    taken.add(free);
    return free;
  });
}

/** `shop.public.orders.Key` → name and namespace, as a schema has them. */
export function splitName(full: string): { readonly name: string; readonly namespace?: string } {
  const dot = full.lastIndexOf('.');
  return dot < 0 ? { name: full } : { name: full.slice(dot + 1), namespace: full.slice(0, dot) };
}
