// The node tree of a YAML document → plain values, with the place of each. Duplicate keys, aliases without end, tags and
// numbers that lose digits are found here.

import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  type LineCounter,
  type Node,
  type Pair,
  type ParsedNode,
  type YAMLMap,
} from 'yaml';
import type { ErrorCode } from '../sdk/index.ts';
import { ConfigDocument, type Mark, type Place, pointerOf } from './document.ts';
import type { Path } from './issue.ts';

/** Nodes that aliases may add to one document. A real file has a few dozen. */
const MAX_ALIASED_NODES = 10_000;

/** Turns the node tree of one document into plain values and the places they stand at. */
export class TreeReader {
  readonly #source: Document.Parsed;
  readonly #lines: LineCounter;
  readonly #marks = new Map<string, Mark>();
  readonly #document: ConfigDocument;
  /** Aliases that are being expanded now; one that meets itself never ends. */
  readonly #open = new Set<Node>();
  #aliasedNodes = 0;

  constructor(source: Document.Parsed, lines: LineCounter, init: { file: string; baseDir: string; index: number }) {
    this.#source = source;
    this.#lines = lines;
    this.#document = new ConfigDocument({ ...init, value: undefined, marks: this.#marks });
  }

  read(): ConfigDocument {
    this.#document.value = this.#node(this.#source.contents, [], null, null);
    return this.#document;
  }

  /** `at`: the place of the alias that is being expanded; values below it stand where the alias stands. */
  #node(node: unknown, path: Path, key: Place | null, at: Place | null): unknown {
    const place = at ?? this.#place(node) ?? key ?? { line: 1, column: 1 };
    this.#marks.set(pointerOf(path), { key, value: place });
    if (this.#open.size > 0 && ++this.#aliasedNodes > MAX_ALIASED_NODES) return this.#tooManyAliases(path);
    if (isAlias(node)) return this.#alias(node, path, key, place);
    if (!isNode(node)) return null;
    if (node.tag !== undefined && !node.tag.startsWith('tag:yaml.org,2002:'))
      return this.#refuse(path, 'the tag is not known', 'Remove the tag.');
    if (isMap(node) && node.tag !== 'tag:yaml.org,2002:set') return this.#map(node, path, at);
    if (isSeq(node)) return node.items.map((item, i) => this.#node(item, [...path, i], null, at));
    if (isScalar(node)) return this.#scalar(node.value, path);
    return this.#refuse(path, 'this kind of value has no meaning here', 'Write text, a number, true, false, a list or a mapping.');
  }

  #map(node: YAMLMap, path: Path, at: Place | null): Record<string, unknown> {
    const result: Record<string, unknown> = {};
    const seen = new Map<string, Place>();
    for (const pair of node.items as Pair<ParsedNode, ParsedNode | null>[]) {
      const place = at ?? this.#place(pair.key) ?? { line: 1, column: 1 };
      const name = this.#key(pair.key, path, place);
      if (name === null) continue;
      const first = seen.get(name);
      if (first !== undefined) {
        this.#duplicate(path, name, place, first);
        continue;
      }
      seen.set(name, place);
      result[name] = this.#node(pair.value, [...path, name], place, at);
    }
    return result;
  }

  #key(key: unknown, path: Path, place: Place): string | null {
    // `__proto__` would set the prototype instead of a key.
    if (isScalar(key) && key.value !== '__proto__' && typeof key.value !== 'object') return String(key.value);
    if (isScalar(key) && key.value === null) return 'null';
    this.#document.problem({
      code: 'CONFIG_UNKNOWN_KEY',
      path,
      place,
      message: 'this cannot be a key',
      fix: 'Write the key as plain text.',
    });
    return null;
  }

  #scalar(value: unknown, path: Path): unknown {
    if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)) {
      // Invariant 6: the digits beyond 2^53 are lost already.
      return this.#refuse(path, 'the number is too large to be kept exactly', 'Put quotes around it.', 'CONFIG_INVALID_VALUE');
    }
    if (value === null || ['string', 'number', 'boolean'].includes(typeof value)) return value;
    return this.#refuse(path, 'this kind of value has no meaning here', 'Write text, a number, true or false.');
  }

  #alias(alias: Alias, path: Path, key: Place | null, at: Place): unknown {
    const target = alias.resolve(this.#source);
    // The alias is not named: it may be a password that begins with `*`.
    if (target === undefined)
      return this.#refuse(
        path,
        'this alias has no anchor before it',
        'Define the anchor first, or put quotes around a value that begins with `*`.',
      );
    if (this.#open.has(target)) return this.#tooManyAliases(path);
    this.#open.add(target);
    const value = this.#node(target, path, key, at);
    this.#open.delete(target);
    return value;
  }

  #tooManyAliases(path: Path): null {
    const known = this.#document.problems.some((problem) => problem.code === 'CONFIG_ALIAS_LIMIT');
    const message = `the aliases expand to more than ${MAX_ALIASED_NODES.toLocaleString('en')} values, or to themselves`;
    if (!known) this.#document.problem({ code: 'CONFIG_ALIAS_LIMIT', path, message, fix: 'Write the values out.' });
    this.#document.setBroken(path);
    return null;
  }

  #refuse(path: Path, message: string, fix: string, code: ErrorCode = 'CONFIG_YAML_SYNTAX'): null {
    this.#document.problem({ code, path, message, fix });
    this.#document.setBroken(path);
    return null;
  }

  #duplicate(path: Path, name: string, place: Place, first: Place): void {
    const message = `the key ${JSON.stringify(name)} stands twice; the first is at ${first.line}:${first.column}`;
    this.#document.problem({ code: 'CONFIG_DUPLICATE_KEY', path: [...path, name], place, message, fix: 'Remove one of the two.' });
  }

  #place(node: unknown): Place | null {
    if (!isNode(node) || !node.range) return null;
    const { line, col } = this.#lines.linePos(node.range[0]);
    return { line, column: col };
  }
}
