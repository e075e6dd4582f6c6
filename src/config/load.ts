// The configuration loader: files → load → interpolate → validate → normalize → pipelines. One file beside this for each
// step; all problems of all files are reported at once.

import { dirname, resolve } from 'node:path';
import type { PipelineConfig } from '../engine/pipeline-config.ts';
import type { Context } from './components.ts';
import { dialectOf, shownPipelines, translateDocument } from './dialects/index.ts';
import { type ConfigDocument, isMapping } from './document.ts';
import { findFiles, readText } from './inputs.ts';
import { type Env, interpolateDocument } from './interpolate.ts';
import { type ConfigIssue, sortIssues } from './issue.ts';
import { nameOf, normalize } from './normalize.ts';
import { applyOverrides, type Override, parseOverrides } from './override.ts';
import { parseYaml } from './parse.ts';

export type { ConfigIssue } from './issue.ts';
export { formatIssue } from './issue.ts';

export interface LoadOptions {
  /** `a.b=c` texts, put into every pipeline. */
  readonly set?: readonly string[];
  /** What `${VAR}` reads. */
  readonly env: Env;
}

export interface LoadResult {
  /** Those without problems. Start nothing unless `problems` is empty. */
  readonly pipelines: PipelineConfig[];
  readonly problems: ConfigIssue[];
  readonly warnings: ConfigIssue[];
  /** The mappings of the pipelines as they are read, variables as they stand: those of other programs' files are translated. */
  readonly shown: readonly Record<string, unknown>[];
}

/** Loads the pipelines of files, folders and patterns. Never throws for what is wrong with them. */
export async function loadPipelines(inputs: readonly string[], options: LoadOptions): Promise<LoadResult> {
  const { files, problems } = await findFiles(inputs);
  const loader = new Loader(options);
  loader.problems.push(...problems);
  for (const file of files) {
    const read = await readText(file);
    if ('problem' in read) loader.problems.push(read.problem);
    else await loader.add(read.text, file, resolve(dirname(file)));
  }
  return loader.result();
}

export interface TextOptions extends LoadOptions {
  /** Named in messages, and the default for the pipeline's name. */
  readonly file: string;
  /** Folder that paths of plugin modules start from. */
  readonly baseDir: string;
}

/** Loads the pipelines of a text, for programs that have no file. */
export async function parsePipelineText(text: string, { file, baseDir, ...options }: TextOptions): Promise<LoadResult> {
  const loader = new Loader(options);
  await loader.add(text, file, resolve(baseDir));
  return loader.result();
}

class Loader {
  readonly problems: ConfigIssue[] = [];
  readonly #warnings: ConfigIssue[] = [];
  readonly #pipelines: PipelineConfig[] = [];
  readonly #shown: Record<string, unknown>[] = [];
  /** Name → the file that has it. */
  readonly #names = new Map<string, string>();
  readonly #overrides: readonly Override[];
  readonly #env: Env;

  constructor({ set = [], env }: LoadOptions) {
    const { overrides, problems } = parseOverrides(set);
    this.#overrides = overrides;
    this.#env = env;
    this.problems.push(...problems);
  }

  /** One file: each of its documents is a pipeline. */
  async add(text: string, file: string, baseDir: string): Promise<void> {
    const { documents, problems } = parseYaml(text, file, baseDir);
    const found = [...problems];
    for (const document of documents) {
      for (const part of new Set([...(await this.#addDocument(document)), document])) {
        found.push(...part.problems);
        this.#warnings.push(...sortIssues(part.warnings));
      }
    }
    if (documents.length === 0 && problems.length === 0) {
      found.push({
        code: 'CONFIG_EMPTY',
        message: 'the file holds no pipeline',
        file,
        line: 1,
        column: 1,
        path: '',
        fix: 'Write one with `cdc-run init`.',
      });
    }
    this.problems.push(...sortIssues(found));
  }

  /** The documents that it was read as: itself, or what another program's form says in ours. */
  async #addDocument(document: ConfigDocument): Promise<readonly ConfigDocument[]> {
    const dialect = dialectOf(document.value);
    if (dialect === null) {
      applyOverrides(document, this.#overrides);
      if (isMapping(document.value)) this.#shown.push(structuredClone(document.value));
      interpolateDocument(document, this.#env);
      await this.#addPipeline(document);
      return [document];
    }
    this.#shown.push(...shownPipelines(dialect, document.value));
    interpolateDocument(document, this.#env);
    const parts = await translateDocument(dialect, document);
    for (const part of parts) {
      applyOverrides(part, this.#overrides);
      await this.#addPipeline(part, document.problems.length === 0);
    }
    return parts;
  }

  async #addPipeline(document: ConfigDocument, isSound = true): Promise<void> {
    const context: Context = { document, unavailable: [] };
    const pipeline = await normalize(context);
    this.#checkName(document, pipeline);
    if (pipeline !== null && isSound && document.problems.length === 0) this.#pipelines.push(pipeline);
  }

  /** State is kept by name: two pipelines with one name would share it. */
  #checkName(document: ConfigDocument, pipeline: PipelineConfig | null): void {
    const given = (document.value as { name?: unknown } | null)?.name;
    const name = pipeline?.name ?? (typeof given === 'string' ? given : nameOf(document.file, document.index));
    const first = this.#names.get(name);
    if (first === undefined) {
      this.#names.set(name, document.file);
      return;
    }
    const message = `two pipelines have the name ${JSON.stringify(name)}; the first is in ${first}`;
    document.problem({ code: 'CONFIG_DUPLICATE_NAME', path: ['name'], message, fix: 'Give each pipeline a `name` of its own.' });
  }

  result(): LoadResult {
    return { pipelines: this.#pipelines, problems: this.problems, warnings: this.#warnings, shown: this.#shown };
  }
}
