// Geometries of Debezium's records back to ours. What a point is depends on the connector: PostgreSQL's own type is text, all
// others are well-known binary, in which the system of reference stands (EWKB).
//
// | type | connector | value |
// |---|---|---|
// | Point | postgresql | `(1.5,-2.5)` |
// | Point, Geometry, Geography | any other | bytes |

import type { Row, Value } from '../../sdk/index.ts';

const POINT = 'io.debezium.data.geometry.Point';
const NAMES: ReadonlySet<string> = new Set([POINT, 'io.debezium.data.geometry.Geometry', 'io.debezium.data.geometry.Geography']);

export const isGeometry = (name: unknown): boolean => typeof name === 'string' && NAMES.has(name);

/** A column that is one, and whether it is a point. */
export interface GeometryColumn {
  readonly name: string;
  readonly isPoint: boolean;
}

export const geometryColumn = (name: string, type: string): GeometryColumn => ({ name, isPoint: type === POINT });

/** The row with its geometries as our own sources have them. */
export function withGeometries(row: Row | null, columns: readonly GeometryColumn[], connector: string | null): Row | null {
  if (row === null || columns.length === 0) return row;
  const out = { ...row };
  for (const { name, isPoint } of columns)
    if (Object.hasOwn(out, name)) out[name] = geometry(out[name] as Value, isPoint && connector === 'postgresql');
  return out;
}

const HAS_SRID = 0x20_00_00_00;
const HEAD_BYTES = 5,
  SRID_BYTES = 4;

function geometry(value: Value, isText: boolean): Value {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array) return value;
  const { x, y, wkb, srid } = value as Row;
  if (isText) return typeof x === 'number' && typeof y === 'number' ? `(${x},${y})` : value;
  const bytes = typeof wkb === 'string' ? new Uint8Array(Buffer.from(wkb, 'base64')) : wkb;
  if (!(bytes instanceof Uint8Array)) return value;
  return typeof srid === 'number' ? withSrid(bytes, srid) : bytes;
}

/** PostGIS sends it within the bytes, MySQL beside them. */
function withSrid(wkb: Uint8Array, srid: number): Uint8Array {
  if (wkb.length < HEAD_BYTES) return wkb;
  const isLittle = wkb[0] === 1,
    type = new DataView(wkb.buffer, wkb.byteOffset, wkb.byteLength).getUint32(1, isLittle);
  if ((type & HAS_SRID) !== 0) return wkb;
  const out = new Uint8Array(wkb.length + SRID_BYTES),
    view = new DataView(out.buffer);
  out.set(wkb.subarray(0, HEAD_BYTES));
  view.setUint32(1, (type | HAS_SRID) >>> 0, isLittle);
  view.setUint32(HEAD_BYTES, srid, isLittle);
  out.set(wkb.subarray(HEAD_BYTES), HEAD_BYTES + SRID_BYTES);
  return out;
}
