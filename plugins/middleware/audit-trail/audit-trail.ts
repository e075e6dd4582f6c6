// The middleware: says in the log what is about to be written, lets it be written, and says how it went. Nothing reaches a
// destination that is not in the log before; a crash in between leaves a write without result.

import { rename } from 'node:fs/promises';
import {
  CdcError,
  type ChangeEvent,
  formatTableId,
  type LaneBatch,
  type Middleware,
  type PluginContext,
  type Row,
  toCdcError,
  type WriteResult,
} from 'cdc-run/sdk';
import { canonical } from './canonical.ts';
import type { AuditConfig } from './config.ts';
import { AuditLog, type LogOptions } from './log-file.ts';
import type { AuditBody, AuditedEvent } from './record.ts';
import { headPath } from './resume.ts';
import type { Signer } from './signature.ts';

/** Two writers would break each other's chain. */
const openPaths = new Set<string>();

export class AuditTrail implements Middleware {
  readonly #config: AuditConfig;
  readonly #context: PluginContext;
  readonly #path: string;
  readonly #signer: Signer;
  #log: Promise<AuditLog> | null = null;

  constructor(config: AuditConfig, context: PluginContext, path: string, signer: Signer) {
    this.#config = config;
    this.#context = context;
    this.#path = path;
    this.#signer = signer;
  }

  async aroundWrite(lane: string, batch: LaneBatch, next: () => Promise<WriteResult>): Promise<WriteResult> {
    const events = batch.events.filter((_event, index) => !batch.skip.has(index));
    if (events.length === 0) return next();
    const write = await this.#record({
      kind: 'write',
      pipeline: this.#context.pipeline,
      lane,
      count: events.length,
      events: events.map((e) => this.#audited(e)),
    });
    let result: WriteResult;
    try {
      result = await next();
    } catch (error) {
      await this.#recordResult({ kind: 'failed', write, code: toCdcError(error).code });
      throw error;
    }
    await this.#recordResult(resultOf(write, events.length, batch, result));
    return result;
  }

  async close(): Promise<void> {
    const log = await this.#log?.catch(() => null);
    this.#log = null;
    if (log == null) return;
    try {
      await log.close();
    } finally {
      openPaths.delete(this.#path);
    }
  }

  async #record(body: AuditBody): Promise<number> {
    try {
      return await (await this.#opened()).append(body, true);
    } catch (error) {
      throw error instanceof CdcError ? error : unwritable(this.#path, error);
    }
  }

  /** Opened with the first write: a process that stands by must not touch the log of the one that runs. */
  async #opened(): Promise<AuditLog> {
    this.#log ??= this.#open();
    const opening = this.#log;
    try {
      return await opening;
    } catch (error) {
      // The next write tries again.
      if (this.#log === opening) this.#log = null;
      throw error;
    }
  }

  /**
   * The write has been made: an error here must not undo that in the eyes of the engine. The next write will meet the same
   * error before it is made.
   */
  async #recordResult(body: AuditBody): Promise<void> {
    try {
      await (await this.#log)?.append(body, false);
    } catch (error) {
      this.#context.logger.error('the result of a write could not be logged', { kind: body.kind, error: toCdcError(error).message });
    }
  }

  async #open(): Promise<AuditLog> {
    if (openPaths.has(this.#path)) {
      throw new CdcError('CONFIG_INVALID_VALUE', `Two audit_trail plugins write to ${this.#path}.`, {
        where: 'params.path',
        fix: 'Give each a path of its own.',
      });
    }
    openPaths.add(this.#path);
    try {
      return await this.#openFile();
    } catch (error) {
      openPaths.delete(this.#path);
      throw error;
    }
  }

  async #openFile(): Promise<AuditLog> {
    const options: LogOptions = {
      path: this.#path,
      signer: this.#signer,
      now: () => this.#context.clock.now(),
      begin: (cutBytes) => ({
        kind: 'open',
        pipeline: this.#context.pipeline,
        level: this.#config.audit_level,
        signature: this.#signer.kind,
        cut_bytes: cutBytes,
      }),
    };
    try {
      return await AuditLog.open(options);
    } catch (error) {
      if (this.#config.immutable_log || !(error instanceof CdcError) || error.code !== 'AUDIT_CHAIN_BROKEN') throw error;
      await this.#moveAside(error);
      return AuditLog.open(options);
    }
  }

  async #moveAside(error: CdcError): Promise<void> {
    const aside = `.broken-${this.#context.clock.now()}`;
    for (const path of [this.#path, headPath(this.#path)]) {
      await rename(path, `${path}${aside}`).catch((cause: NodeJS.ErrnoException) => {
        if (cause.code !== 'ENOENT') throw cause;
      });
    }
    this.#context.logger.warn('began a new audit log, the old one is kept', { reason: error.message, kept: `${this.#path}${aside}` });
  }

  #audited(event: ChangeEvent): AuditedEvent {
    const base = { id: event.id, op: event.op, table: formatTableId(event.table.id), key: this.#digest(event.key) };
    if (this.#config.audit_level === 'basic') return base;
    return { ...base, before: this.#digest(event.before), after: this.#digest(event.after) };
  }

  #digest(row: Row | null): string | null {
    return row && this.#signer.digest(canonical(row));
  }
}

function resultOf(write: number, count: number, batch: LaneBatch, result: WriteResult): AuditBody {
  const idOf = (index: number): string => batch.events[index]?.id ?? '';
  if (result.kind === 'stored') return { kind: 'confirmed', write, count };
  const failed = result.failed.map(({ index }) => idOf(index));
  if (result.kind === 'refused') return { kind: 'refused', write, failed };
  return { kind: 'partial', write, count: result.written.length, written: result.written.map(idOf), failed };
}

const RETRIABLE: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE']);

function unwritable(path: string, cause: unknown): CdcError {
  const code = (cause as NodeJS.ErrnoException | null)?.code ?? '';
  return new CdcError(
    'PLUGIN_FAILED',
    `The audit log ${path} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}.`,
    {
      where: path,
      retriable: RETRIABLE.has(code),
      cause,
      fix: 'Free space on the disk that holds the log, and make sure that this user may write it.',
    },
  );
}
