// What was named on the command line → the files to read: files as they are, folders by their YAML files, patterns by match.

import { readdir, readFile, stat } from 'node:fs/promises';
import { join, normalize, resolve } from 'node:path';
import { globBase, globToRegExp, isGlob } from '../util/glob.ts';
import type { ConfigIssue } from './issue.ts';
import { reasonOf } from './secret-file.ts';

/** A pipeline file has a few kilobytes. Larger ones are something else. */
const MAX_FILE_BYTES = 1024 * 1024;

export interface FoundFiles {
  readonly files: string[];
  readonly problems: ConfigIssue[];
}

/** Each file once, in the order named; those of a folder or a pattern in the order of their names. */
export async function findFiles(inputs: readonly string[]): Promise<FoundFiles> {
  const files = new Map<string, string>(),
    problems: ConfigIssue[] = [];
  for (const input of inputs) {
    const found = await filesOf(input);
    if (typeof found === 'string') problems.push(unreadable(input, found));
    else for (const file of found) if (!files.has(resolve(file))) files.set(resolve(file), file);
  }
  return { files: [...files.values()], problems };
}

/** The files behind one input, or why there are none. */
async function filesOf(input: string): Promise<string[] | string> {
  try {
    const stats = await stat(input);
    if (!stats.isDirectory()) return [input];
    const names = (await readdir(input)).filter((name) => /\.ya?ml$/i.test(name) && !name.startsWith('.'));
    return names.length > 0 ? names.sort().map((name) => join(input, name)) : `the folder ${input} holds no .yaml file`;
  } catch (error) {
    if (!isGlob(input)) return `${input} ${reasonOf(error)}`;
  }
  const matches = await matching(input);
  return matches.length > 0 ? matches : `no file matches ${input}`;
}

/** The text of a file, or what is wrong with it. Files that are no text are refused here, before anything looks into them. */
export async function readText(file: string): Promise<{ text: string } | { problem: ConfigIssue }> {
  let bytes: Buffer;
  try {
    const { size } = await stat(file);
    if (size > MAX_FILE_BYTES) return { problem: unreadable(file, `${file} is larger than ${MAX_FILE_BYTES / 1024} KiB`) };
    bytes = await readFile(file);
  } catch (error) {
    return { problem: unreadable(file, `${file} ${reasonOf(error)}`) };
  }
  const text = decodeText(bytes);
  return text === null ? { problem: notText(file) } : { text };
}

function decodeText(bytes: Buffer): string | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return text.includes('\0') ? null : text;
  } catch {
    return null;
  }
}

function unreadable(file: string, message: string): ConfigIssue {
  return { code: 'CONFIG_FILE_UNREADABLE', message, file, line: 0, column: 0, path: '', fix: 'Correct the path, or the permissions.' };
}

function notText(file: string): ConfigIssue {
  return {
    code: 'CONFIG_YAML_SYNTAX',
    message: 'the file is not text in UTF-8',
    file,
    line: 1,
    column: 1,
    path: '',
    fix: 'Save it as UTF-8 text.',
  };
}

/** Paths that match a pattern, sorted. Hidden files and folders are left out, and links to folders are not followed. */
async function matching(pattern: string): Promise<string[]> {
  const normal = normalize(pattern),
    base = globBase(normal);
  const prefix = base === '.' ? '' : base === '/' ? '/' : `${base}/`;
  const depth = normal.includes('**') ? Infinity : normal.slice(prefix.length).split('/').length;
  const expression = globToRegExp(normal);
  const files = await filesBelow(base, prefix, depth);
  return files.filter((file) => expression.test(file)).sort();
}

async function filesBelow(folder: string, prefix: string, depth: number): Promise<string[]> {
  const found: string[] = [];
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries.filter(({ name }) => !name.startsWith('.') && name !== 'node_modules')) {
    const path = `${prefix}${entry.name}`;
    if (!entry.isDirectory()) found.push(path);
    else if (depth > 1) found.push(...(await filesBelow(path, `${path}/`, depth - 1)));
  }
  return found;
}
