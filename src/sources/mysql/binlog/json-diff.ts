// Changes of a JSON document, as PARTIAL_UPDATE_ROWS has them (`binlog_row_value_options=PARTIAL_JSON`), applied to the document
// as it was. https://dev.mysql.com/doc/dev/mysql-server/latest/json__diff_8h.html

import { BinlogError } from './errors.ts';
import { type JsonNode, parseJsonTree } from './json-tree.ts';
import { EventReader } from './reader.ts';

const REPLACE = 0,
  INSERT = 1,
  REMOVE = 2;

type Leg = string | number;

function pathError(path: string): BinlogError {
  return new BinlogError('malformed', `a JSON diff whose path does not fit: ${path.slice(0, 100)}`);
}

/** `$.a[0]."x y"` → `a`, 0, `x y`; names as latin1 of their bytes, as in the tree. */
export function parsePath(path: string): Leg[] {
  const legs: Leg[] = [];
  let rest = path.startsWith('$') ? path.slice(1) : path;
  while (rest !== '') {
    const match = /^(?:\[(\d+)\]|\.("(?:[^"\\]|\\.)*")|\.([^.[\s"]+))/s.exec(rest);
    if (match === null) throw pathError(path);
    const [whole, index, quoted, name] = match;
    if (index !== undefined) legs.push(Number(index));
    else legs.push(Buffer.from(quoted === undefined ? (name as string) : unquote(quoted, path), 'utf8').toString('latin1'));
    rest = rest.slice(whole.length);
  }
  return legs;
}

function unquote(quoted: string, path: string): string {
  try {
    return JSON.parse(quoted) as string;
  } catch {
    throw pathError(path);
  }
}

/** The document after the changes. `diffs`: bytes of one column. */
export function applyDiffs(document: JsonNode, diffs: Buffer): JsonNode {
  const r = new EventReader(diffs, 0, diffs.length, 0);
  let root = document;
  while (r.left > 0) {
    const operation = r.byte('the operation'),
      path = r.packedText('the path'),
      legs = parsePath(path);
    if (operation !== REPLACE && operation !== INSERT && operation !== REMOVE) r.fail(`a JSON diff of the unknown operation ${operation}`);
    const value = operation === REMOVE ? null : readValue(r);
    if (legs.length > 0) applyOne(root, legs, operation, value, path);
    else if (operation === REPLACE && value !== null) root = value;
    else throw pathError(path);
  }
  return root;
}

function readValue(r: EventReader): JsonNode {
  const bytes = r.view(r.packedInteger('the length of a value'), 'a value');
  return parseJsonTree(bytes, 0, bytes.length);
}

function applyOne(root: JsonNode, legs: readonly Leg[], operation: number, value: JsonNode | null, path: string): void {
  let parent = root;
  for (const leg of legs.slice(0, -1)) {
    const child = childOf(parent, leg);
    if (child === null) throw pathError(path);
    parent = child;
  }
  const leg = legs.at(-1) as Leg;
  if (parent.kind === 'object' && typeof leg === 'string') applyToObject(parent.members, leg, operation, value, path);
  else if (parent.kind === 'array' && typeof leg === 'number') applyToArray(parent.items, leg, operation, value, path);
  else throw pathError(path);
}

/** `[0]` of what is no array is itself. */
function childOf(node: JsonNode, leg: Leg): JsonNode | null {
  if (typeof leg === 'string') return node.kind === 'object' ? (node.members.get(leg) ?? null) : null;
  if (node.kind === 'array') return node.items[leg] ?? null;
  return leg === 0 ? node : null;
}

function applyToObject(members: Map<string, JsonNode>, name: string, operation: number, value: JsonNode | null, path: string): void {
  if (members.has(name) === (operation === INSERT)) throw pathError(path);
  if (value === null) members.delete(name);
  else members.set(name, value);
}

function applyToArray(items: JsonNode[], index: number, operation: number, value: JsonNode | null, path: string): void {
  if (operation === INSERT) items.splice(Math.min(index, items.length), 0, value as JsonNode);
  else if (index >= items.length) throw pathError(path);
  else if (value === null) items.splice(index, 1);
  else items[index] = value;
}
