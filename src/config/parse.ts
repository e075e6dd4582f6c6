// Text → documents: YAML 1.2 with all problems at their places. No text of the file is quoted in messages about syntax: a
// password that YAML cannot read must not show up in a log.

import { Composer, type Document, isScalar, LineCounter, Parser } from 'yaml';
import type { ErrorCode } from '../sdk/index.ts';
import type { ConfigDocument } from './document.ts';
import type { ConfigIssue } from './issue.ts';
import { TreeReader } from './tree.ts';
import { depthOf } from './yaml-depth.ts';
import { SYNTAX } from './yaml-syntax.ts';

/** Deeper files are hostile: the parser is recursive, and running out of stack inside it can abort the process. */
const MAX_DEPTH = 64;
/** One slip breaks the lines after it too; more than these help nobody. */
const MAX_SYNTAX_PROBLEMS = 10;

export interface ParsedFile {
  readonly documents: ConfigDocument[];
  readonly problems: ConfigIssue[];
}

/** The documents of a file that hold something, and what keeps the others from being read. */
export function parseYaml(text: string, file: string, baseDir: string): ParsedFile {
  const lines = new LineCounter();
  const tokens = [...new Parser(lines.addNewLine).parse(text)];
  const tooDeep = tokens.map((token) => depthOf(token, MAX_DEPTH)).find((at) => at !== null);
  if (tooDeep !== undefined) {
    const message = `the file nests more than ${MAX_DEPTH} levels`;
    return {
      documents: [],
      problems: [problemAt(lines, tooDeep, { code: 'CONFIG_YAML_SYNTAX', file, message, fix: 'Check the brackets.' })],
    };
  }
  // Duplicate keys are found by our own walk, which can say where the first one stands.
  const composer = new Composer({ prettyErrors: false, uniqueKeys: false, schema: 'core', logLevel: 'silent' });
  const documents: ConfigDocument[] = [],
    problems: ConfigIssue[] = [];
  for (const document of composer.compose(tokens)) {
    const syntax = syntaxProblems(document, lines, file);
    problems.push(...syntax);
    if (syntax.length > 0 || isEmpty(document)) continue;
    const built = new TreeReader(document, lines, { file, baseDir, index: documents.length }).read();
    const hostile = built.problems.find((problem) => problem.code === 'CONFIG_ALIAS_LIMIT');
    if (hostile === undefined) documents.push(built);
    else problems.push(hostile);
  }
  return { documents, problems };
}

function isEmpty(document: Document.Parsed): boolean {
  const { contents } = document;
  return contents === null || (isScalar(contents) && contents.value === null);
}

function syntaxProblems(document: Document.Parsed, lines: LineCounter, file: string): ConfigIssue[] {
  const problems: ConfigIssue[] = [];
  for (const error of [...document.errors, ...document.warnings]) {
    const sentence = SYNTAX[error.code] ?? { message: 'this is not valid YAML', fix: 'Check this line and the ones above it.' };
    const problem = problemAt(lines, error.pos[0], { code: 'CONFIG_YAML_SYNTAX', file, ...sentence });
    // What follows on the same line is a consequence of the first.
    if (problems.at(-1)?.line !== problem.line) problems.push(problem);
  }
  return problems.slice(0, MAX_SYNTAX_PROBLEMS);
}

interface Cause {
  readonly code: ErrorCode;
  readonly file: string;
  readonly message: string;
  readonly fix: string;
}

function problemAt(lines: LineCounter, offset: number, cause: Cause): ConfigIssue {
  const { line, col } = lines.linePos(offset);
  return { code: cause.code, message: cause.message, file: cause.file, line, column: col, path: '', fix: cause.fix };
}
