// pgvector's sparsevec: `{1:1.5,3:2}/5` → the number of dimensions, and the elements that are not 0.

import type { Value } from '../../sdk/index.ts';
import { jsonValue } from '../json.ts';
import type { ConnectSchema } from './connect-schema.ts';
import { javaOrder } from './java-map.ts';
import { javaDouble } from './number-text.ts';

export const SPARSE_VECTOR: ConnectSchema = {
  type: 'struct',
  fields: [
    { type: 'int16', field: 'dimensions' },
    { type: 'map', keys: { type: 'int16' }, values: { type: 'double' }, field: 'vector' },
  ],
  name: 'io.debezium.data.SparseDoubleVector',
  version: 1,
  doc: 'Sparse double vector',
};

const FORM = /^\{((?:\d+:[^,:}]+(?:,(?=\d))?)*)\}\/(\d+)$/;

/** JsonConverter writes maps whose keys are no texts as lists of pairs. */
export function writeSparseVector(value: Value): string {
  const [, list, dimensions] = (typeof value === 'string' ? FORM.exec(value) : null) ?? [];
  if (list === undefined || dimensions === undefined) return jsonValue(value);
  const elements = new Map(list === '' ? [] : list.split(',').map((pair) => pair.split(':') as [string, string]));
  const pairs = javaOrder([...elements.keys()], Number).map((index) => `[${index},${javaDouble(Number(elements.get(index)))}]`);
  return `{"dimensions":${dimensions},"vector":[${pairs.join(',')}]}`;
}
