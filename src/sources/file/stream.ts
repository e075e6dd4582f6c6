// The file source: finds the files of the pattern, and reads them in turn.

import { stat } from 'node:fs/promises';
import { relative, resolve, sep } from 'node:path';
import type {
  ChangeBatch,
  ComponentContext,
  Finding,
  Lag,
  PartitionPositions,
  Position,
  ReadContext,
  Source,
  SourceDescription,
  TableId,
  TableSchema,
} from '../../sdk/index.ts';
import { findFiles, pathMatcher } from '../../util/find-files.ts';
import { globBase, isGlob } from '../../util/glob.ts';
import { checkFiles } from './check.ts';
import type { FileSourceConfig } from './config.ts';
import { notAFile, toFileError } from './errors.ts';
import { fileAt } from './locate.ts';
import { type Ends, FilePartition, type PartitionContext, type Step } from './partition.ts';
import { type FilePlace, filePositions, firstPlace, formatPlace, parsePlace } from './position.ts';
import { TableBook } from './tables.ts';

export class FileSource implements Source {
  readonly ordering = 'log';
  readonly exclusive = true;
  readonly positions = filePositions;
  readonly #config: FileSourceConfig;
  readonly #ctx: ComponentContext;
  readonly #where: string;
  /** Absolute folder that partition names are relative to. */
  readonly #base: string;
  readonly #tables: TableBook;
  readonly #partitions = new Map<string, FilePartition>();
  /** Partitions whose files were removed, and how far they were read. */
  readonly #ended = new Map<string, FilePlace>();
  /** Second names of files that are read already: said once. */
  readonly #aliases = new Set<string>();
  #ends: Ends | null = null;

  constructor(config: FileSourceConfig, ctx: ComponentContext) {
    this.#config = config;
    this.#ctx = ctx;
    this.#where = `source "${ctx.name}"`;
    this.#base = resolve(globBase(config.path));
    this.#tables = new TableBook(config.key);
  }

  describe(): SourceDescription {
    return { connector: 'file', database: null };
  }

  check(): AsyncIterable<Finding> {
    return checkFiles(this.#config);
  }

  async *read(ctx: ReadContext, signal: AbortSignal): AsyncIterable<ChangeBatch> {
    if (ctx.until !== null && this.#ends === null) await this.end();
    const shared = this.#shared(ctx);
    let lookedMs = Number.NEGATIVE_INFINITY;
    try {
      do {
        const sinceMs = this.#ctx.clock.now() - lookedMs;
        // Negative: the clock was set back.
        if (sinceMs < 0 || sinceMs >= this.#config.poll_interval) {
          await this.#guard(this.#config.path, () => this.#discover(ctx, shared, signal));
          lookedMs = this.#ctx.clock.now();
        }
        let moved = false;
        for (const name of [...this.#partitions.keys()]) {
          for await (const batch of this.#turn(this.#partitions.get(name) as FilePartition, ctx, shared, signal)) {
            moved = true;
            yield batch;
            if (signal.aborted) return;
          }
        }
        if (!moved && ctx.until === null) await this.#ctx.clock.sleep(this.#config.poll_interval, signal);
      } while (ctx.until === null && !signal.aborted);
    } finally {
      await this.#closeAll();
    }
  }

  /** The sizes of all files. Their positions say `generation 1`, because only `read` is told which one it is. */
  async end(): Promise<PartitionPositions> {
    const sizes = new Map<string, number>(),
      inodes = new Map<string, string>();
    const positions: { [partition: string]: Position } = {};
    const { paths } = await this.#guard(this.#config.path, () => findFiles(this.#config.path));
    for (const name of paths) {
      const path = this.#pathOf(name);
      const state = await this.#guard(path, async () => {
        if (!isGlob(this.#config.path)) await this.#assertRegular(path, 'there');
        return fileAt(path);
      });
      if (state === null) continue;
      sizes.set(state.id, state.size);
      inodes.set(name, state.inode);
      positions[name] = formatPlace({ ...firstPlace(1, state.inode), offset: state.size });
    }
    this.#ends = { sizes, inodes };
    return positions;
  }

  async acknowledge(): Promise<void> {}

  async acknowledged(): Promise<null> {
    return null;
  }

  async lag(): Promise<Lag> {
    let bytes = 0;
    for (const partition of this.#partitions.values()) bytes += partition.unreadBytes;
    return { events: null, bytes };
  }

  async schema(table: TableId): Promise<TableSchema> {
    return this.#tables.known(table.table);
  }

  async close(): Promise<void> {
    await this.#closeAll();
  }

  /** What one partition has to say: one batch of it in a continuous run, all of it in a one_time run. */
  async *#turn(partition: FilePartition, ctx: ReadContext, shared: PartitionContext, signal: AbortSignal): AsyncIterable<ChangeBatch> {
    while (!signal.aborted) {
      const step: Step = await this.#guard(partition.path, () => partition.next(ctx));
      if (step.kind === 'batch') yield step.batch;
      else if (step.kind === 'renamed') yield await this.#adopt(step, ctx, shared);
      else if (step.kind === 'gone') await this.#end(partition, ctx);
      // In a one_time run files are open one at a time, so that any number of them will do.
      if (step.kind === 'done' || (step.kind === 'idle' && ctx.until !== null)) await partition.close();
      if (step.kind === 'done' || step.kind === 'gone') return;
      if (ctx.until === null || step.kind === 'idle') return;
    }
  }

  /** Opens partitions for files that are new. Those which were read before come first: a file may have been renamed to a new name. */
  async #discover(ctx: ReadContext, shared: PartitionContext, signal: AbortSignal): Promise<void> {
    const isPattern = isGlob(this.#config.path);
    const { paths } = await findFiles(this.#config.path);
    const fresh: string[] = [];
    for (const name of paths) {
      if (signal.aborted) return;
      if (this.#partitions.has(name)) continue;
      if (!isPattern) await this.#assertRegular(this.#pathOf(name), 'or missing');
      const state = await fileAt(this.#pathOf(name));
      if (isPattern && (state === null || (await this.#readerOf(state.id)) !== null)) continue;
      const position = await ctx.assign(name);
      if (position === null) fresh.push(name);
      else await this.#add(name, parsePlace(position), ctx, shared);
    }
    for (const name of fresh) {
      const state = await fileAt(this.#pathOf(name));
      const reader = state === null ? null : await this.#readerOf(state.id);
      if (reader === null) await this.#add(name, null, ctx, shared);
      else this.#sayAlias(name, reader);
    }
  }

  async #add(name: string, place: FilePlace | null, ctx: ReadContext, shared: PartitionContext): Promise<void> {
    const ended = this.#ended.get(name);
    this.#ended.delete(name);
    const finished = ended !== undefined && place !== null && formatPlace(ended) === formatPlace(place); // its end is not delivered yet
    const partition = new FilePartition(shared, name, this.#pathOf(name), place, finished);
    this.#partitions.set(name, partition);
    // Opened at once, so that a file found under another name is known as ours; a one_time run opens them one at a time.
    if (ctx.until === null && !finished) await partition.open();
  }

  /** The partition that reads a file, under the name that the file has, had, or has besides. */
  async #readerOf(id: string): Promise<FilePartition | null> {
    for (const partition of this.#partitions.values()) {
      if ((partition.fileId ?? (await fileAt(partition.path))?.id) === id) return partition;
    }
    return null;
  }

  #sayAlias(name: string, reader: FilePartition): void {
    if (this.#aliases.has(name)) return;
    this.#aliases.add(name);
    this.#ctx.logger.warn('a file has two names that match the pattern; it is read under one of them', {
      path: reader.path,
      alias: this.#pathOf(name),
    });
  }

  /** A finished file has a new name of the pattern: it stands there as read, before its old name goes on with another file. */
  async #adopt(step: Step & { kind: 'renamed' }, ctx: ReadContext, shared: PartitionContext): Promise<ChangeBatch> {
    this.#ctx.logger.warn('the pattern also matches a rotated file; a pattern that does not is safer', { path: step.path });
    const known = await ctx.assign(step.partition);
    const place = known === null ? step.place : parsePlace(known); // a name that was used before: its partition finds out itself
    if (known === null) this.#partitions.set(step.partition, new FilePartition(shared, step.partition, step.path, place));
    return { events: [], source: this.#ctx.name, partition: step.partition, resume: formatPlace(place), bytes: 0 };
  }

  async #end(partition: FilePartition, ctx: ReadContext): Promise<void> {
    if (!isGlob(this.#config.path)) return; // the one file of this source will be back
    if (partition.place !== null) this.#ended.set(partition.name, partition.place);
    this.#partitions.delete(partition.name);
    await partition.close();
    await ctx.end(partition.name);
  }

  #shared(ctx: ReadContext): PartitionContext {
    const matches = isGlob(this.#config.path) ? pathMatcher(this.#config.path) : () => false;
    return {
      config: this.#config,
      clock: this.#ctx.clock,
      logger: this.#ctx.logger,
      source: this.#ctx.name,
      where: this.#where,
      ends: ctx.until === null ? null : this.#ends,
      partitionOf: (path) => {
        const name = relative(this.#base, path).split(sep).join('/');
        return matches(name) ? name : null;
      },
      table: (name, columns) => this.#tables.get(name, columns),
    };
  }

  #pathOf(name: string): string {
    return resolve(this.#base, name);
  }

  async #assertRegular(path: string, allowed: 'there' | 'or missing'): Promise<void> {
    try {
      const stats = await stat(path);
      if (!stats.isFile()) throw notAFile(path, stats.isDirectory(), this.#where);
    } catch (error) {
      if (allowed === 'there' || (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }

  async #guard<T>(path: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw toFileError(error, path, this.#where);
    }
  }

  async #closeAll(): Promise<void> {
    const partitions = [...this.#partitions.values()];
    this.#partitions.clear();
    for (const partition of partitions) await partition.close();
  }
}
