// `.proto` texts at run time: the messages they define, and which place each has in its file. https://protobuf.dev/reference/protobuf/proto3-spec/

import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import protobuf from 'protobufjs';

export interface ProtoSource {
  /** As others import it. */
  readonly name: string;
  readonly text: string;
}

export interface ProtoFile {
  readonly root: protobuf.Root;
  /** The file itself, without what it imports. */
  readonly own: protobuf.Root;
  readonly package: string;
}

/** `references`: what it imports; Google's common files are known. Throws what the parser says. */
export function parseProto(text: string, references: readonly ProtoSource[] = []): ProtoFile {
  const root = new protobuf.Root(),
    own = new protobuf.Root(),
    known = new Set(references.map((r) => r.name));
  // Original names: the parser would make them camelCase.
  const options = { keepCase: true };
  const imports = references.flatMap((r) => protobuf.parse(r.text, root, options).imports ?? []);
  const parsed = protobuf.parse(text, root, options);
  for (const name of [...imports, ...(parsed.imports ?? [])]) {
    if (known.has(name)) continue;
    known.add(name);
    const common = protobuf.common.get(name);
    if (common?.nested === undefined) throw new SyntaxError(`it imports "${name}", which is not there`);
    root.addJSON(common.nested);
  }
  root.resolveAll();
  protobuf.parse(text, own, options);
  return { root, own, package: parsed.package ?? '' };
}

/** A file, and what it imports, from the folder it lies in. */
export async function readProto(file: string): Promise<{ readonly text: string; readonly references: readonly ProtoSource[] }> {
  const text = await readFile(file, 'utf8'),
    found = new Map<string, ProtoSource>();
  const visit = async (source: string): Promise<void> => {
    for (const name of protobuf.parse(source, new protobuf.Root()).imports ?? []) {
      if (found.has(name) || protobuf.common.get(name) !== null) continue;
      const imported = { name, text: await readFile(join(dirname(file), name), 'utf8') };
      found.set(name, imported);
      await visit(imported.text);
    }
  };
  await visit(text);
  return { text, references: [...found.values()] };
}

const messagesIn = (space: protobuf.NamespaceBase): protobuf.Type[] => space.nestedArray.filter((n) => n instanceof protobuf.Type);

/** The messages at the top of a file, in its order. */
function topOf({ own, package: name }: ProtoFile): protobuf.Type[] {
  const space = name === '' ? own : own.lookup(name);
  return space instanceof protobuf.Namespace ? messagesIn(space) : [];
}

/** By the place in its file that a message's bytes begin with. `null`: there is none. */
export function messageAt(file: ProtoFile, path: readonly number[]): protobuf.Type | null {
  let among = topOf(file),
    found: protobuf.Type | undefined;
  for (const index of path) {
    found = among[index];
    if (found === undefined) return null;
    among = messagesIn(found);
  }
  return found === undefined ? null : file.root.lookupType(found.fullName);
}

/** By its name, with or without the package; without a name the first. `null`: there is none. */
export function messageNamed(
  file: ProtoFile,
  name: string | undefined,
): { readonly type: protobuf.Type; readonly path: readonly number[] } | null {
  const visit = (among: protobuf.Type[], path: readonly number[]): { type: protobuf.Type; path: readonly number[] } | null => {
    for (const [index, message] of among.entries()) {
      const here = [...path, index],
        full = message.fullName.slice(1);
      if (name === undefined || full === name || full === `${file.package}.${name}`)
        return { type: file.root.lookupType(message.fullName), path: here };
      const within = visit(messagesIn(message), here);
      if (within !== null) return within;
    }
    return null;
  };
  return visit(topOf(file), []);
}
