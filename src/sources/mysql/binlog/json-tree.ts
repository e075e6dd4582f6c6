// Binary JSON ↔ a tree whose scalars stay in their bytes: for applying diffs. Reading a document does without (json-binary.ts).
// https://dev.mysql.com/doc/dev/mysql-server/latest/json__binary_8h.html

import { BinlogError } from './errors.ts';

export const JsonType = {
  smallObject: 0,
  largeObject: 1,
  smallArray: 2,
  largeArray: 3,
  literal: 4,
  int16: 5,
  uint16: 6,
  int32: 7,
  uint32: 8,
  int64: 9,
  uint64: 10,
  double: 11,
  string: 12,
  opaque: 15,
} as const;

export type JsonNode = JsonObject | JsonArray | JsonScalar;
/** Keys as latin1 of their bytes, so that none is lost. */
export interface JsonObject {
  readonly kind: 'object';
  readonly members: Map<string, JsonNode>;
}
export interface JsonArray {
  readonly kind: 'array';
  readonly items: JsonNode[];
}
export interface JsonScalar {
  readonly kind: 'scalar';
  readonly type: number;
  /** As it stands behind its type. */
  readonly bytes: Buffer;
}

/** MySQL's limit. */
export const MOST_DEPTH = 100;

export function malformedJson(what: string): BinlogError {
  return new BinlogError('malformed', `binary JSON: ${what}`);
}

/** A length of one to five bytes of seven bits; `varLength` gives it, `varBehind` the place behind it. */
export let varBehind = 0;
export function varLength(bytes: Buffer, at: number, end: number): number {
  // Nearly all are of one byte: powers, which lengths beyond 2^31 need, take longer than all else here.
  const first = bytes[at] as number;
  if (at < end && first < 0x80 && first < end - at) {
    varBehind = at + 1;
    return first;
  }
  let length = 0;
  for (let i = 0; i < 5; i++) {
    if (at + i >= end) break;
    const byte = bytes[at + i] as number;
    length += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) {
      varBehind = at + i + 1;
      if (length > end - varBehind) break;
      return length;
    }
  }
  throw malformedJson('a text is cut off');
}

/** Bytes of a scalar from `at` on. */
export function scalarBytes(type: number, bytes: Buffer, at: number, end: number): number {
  switch (type) {
    case JsonType.literal:
      return 1;
    case JsonType.int16:
    case JsonType.uint16:
      return 2;
    case JsonType.int32:
    case JsonType.uint32:
      return 4;
    case JsonType.int64:
    case JsonType.uint64:
    case JsonType.double:
      return 8;
    case JsonType.string:
      return varLength(bytes, at, end) + varBehind - at;
    case JsonType.opaque:
      return varLength(bytes, at + 1, end) + varBehind - at;
    default:
      throw malformedJson(`a value of the unknown type ${type}`);
  }
}

/** Are values of the type kept in the place of their offset? */
export const isInline = (type: number, isLarge: boolean): boolean =>
  type >= JsonType.literal && type <= (isLarge ? JsonType.uint32 : JsonType.uint16);

class TreeReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  /** No document has more values than bytes: offsets that point at the same place would make one that never ends. */
  #left: number;

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes;
    this.#end = end;
    this.#left = end - start;
  }

  value(type: number, at: number, depth: number): JsonNode {
    if (--this.#left < 0 || depth > MOST_DEPTH) throw malformedJson('values within each other');
    if (type <= JsonType.largeArray) return this.#container(type, at, depth);
    const length = scalarBytes(type, this.#bytes, at, this.#end);
    if (length > this.#end - at) throw malformedJson('a value is cut off');
    return { kind: 'scalar', type, bytes: this.#bytes.subarray(at, at + length) };
  }

  #number(at: number, size: 2 | 4): number {
    if (at + size > this.#end) throw malformedJson('a number is cut off');
    return size === 2 ? this.#bytes.readUInt16LE(at) : this.#bytes.readUInt32LE(at);
  }

  #container(type: number, at: number, depth: number): JsonNode {
    const isLarge = (type & 1) === 1,
      size = isLarge ? 4 : 2,
      isObject = type <= JsonType.largeObject,
      count = this.#number(at, size),
      keysAt = at + 2 * size,
      valuesAt = keysAt + (isObject ? count * (size + 2) : 0);
    if (valuesAt + count * (size + 1) > this.#end) throw malformedJson(`${count} members`);
    const members = new Map<string, JsonNode>(),
      items: JsonNode[] = [];
    for (let i = 0; i < count; i++) {
      const entry = valuesAt + i * (size + 1),
        entryType = this.#bytes[entry] as number;
      const node = this.value(entryType, isInline(entryType, isLarge) ? entry + 1 : at + this.#number(entry + 1, size), depth + 1);
      if (!isObject) items.push(node);
      else {
        const key = at + this.#number(keysAt + i * (size + 2), size),
          behind = key + this.#number(keysAt + i * (size + 2) + size, 2);
        if (behind > this.#end) throw malformedJson('a name is cut off');
        members.set(this.#bytes.toString('latin1', key, behind), node);
      }
    }
    return isObject ? { kind: 'object', members } : { kind: 'array', items };
  }
}

export function parseJsonTree(bytes: Buffer, start: number, end: number): JsonNode {
  if (start >= end) return { kind: 'scalar', type: JsonType.literal, bytes: Buffer.from([0]) };
  return new TreeReader(bytes, start, end).value(bytes[start] as number, start + 1, 0);
}

/** Always in the large format: every reader knows both. */
export function encodeJsonTree(node: JsonNode): Buffer {
  return Buffer.concat([Buffer.from([typeOf(node)]), encodeBody(node)]);
}

function typeOf(node: JsonNode): number {
  if (node.kind === 'scalar') return node.type;
  return node.kind === 'object' ? JsonType.largeObject : JsonType.largeArray;
}

function encodeBody(node: JsonNode): Buffer {
  if (node.kind === 'scalar') return node.bytes;
  const keys = node.kind === 'object' ? [...node.members.keys()].sort(compareKeys) : [],
    nodes = node.kind === 'object' ? keys.map((key) => node.members.get(key) as JsonNode) : node.items;
  const count = nodes.length,
    valuesAt = 8 + keys.length * 6,
    head = Buffer.alloc(valuesAt + count * 5),
    parts: Buffer[] = [head];
  let at = head.length;
  head.writeUInt32LE(count, 0);
  for (const [i, key] of keys.entries()) {
    head.writeUInt32LE(at, 8 + i * 6);
    head.writeUInt16LE(key.length, 8 + i * 6 + 4);
    parts.push(Buffer.from(key, 'latin1'));
    at += key.length;
  }
  for (const [i, value] of nodes.entries()) {
    const entry = valuesAt + i * 5,
      type = typeOf(value);
    head[entry] = type;
    if (value.kind === 'scalar' && isInline(type, true)) {
      // Numbers of two bytes are widened by their sign.
      const fill = type === JsonType.int16 && ((value.bytes[1] as number) & 0x80) !== 0 ? 0xff : 0;
      head.fill(fill, entry + 1, entry + 5);
      value.bytes.copy(head, entry + 1);
      continue;
    }
    const body = encodeBody(value);
    head.writeUInt32LE(at, entry + 1);
    parts.push(body);
    at += body.length;
  }
  head.writeUInt32LE(at, 4);
  return Buffer.concat(parts);
}

/** By length, then by bytes: as the server keeps them, which finds them by halving. */
function compareKeys(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : 1);
}
