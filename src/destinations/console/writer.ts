// Writes batches to standard output, and waits until the reader has taken them: a slow reader slows the source.

import type { Writable } from 'node:stream';
import pc from 'picocolors';
import { CdcError, type Committed, type Destination, type Finding, type LaneBatch, type WriteResult } from '../../sdk/index.ts';
import { escapeControls } from '../../util/terminal-text.ts';
import { type ConsoleConfig, formatFor } from './config.ts';
import { formatEvent } from './pretty.ts';

/** Standard output, or what stands for it in tests. */
export type Output = Writable & { readonly isTTY?: boolean };

export class ConsoleDestination implements Destination {
  readonly #out: Output;
  readonly #format: 'json' | 'pretty';
  readonly #where: string;
  readonly #colors = pc.createColors(pc.isColorSupported);
  #failure: Error | null = null;

  constructor(config: ConsoleConfig, name: string, out: Output) {
    this.#out = out;
    this.#format = formatFor(config, out.isTTY === true);
    this.#where = `destination "${name}"`;
    // A broken pipe is also told by an `error` event, which would end the process if nobody listened.
    out.on('error', this.#onError);
  }

  async *check(): AsyncIterable<Finding> {
    yield { level: 'ok', check: 'stdout', message: `writes ${this.#format} to standard output` };
  }

  async committed(): Promise<Committed> {
    return { kind: 'untracked' };
  }

  async write(batch: LaneBatch, signal: AbortSignal): Promise<WriteResult> {
    const chunk = this.#format === 'json' ? this.#records(batch) : this.#lines(batch);
    if (chunk.length > 0) await this.#send(chunk, signal);
    return { kind: 'stored' };
  }

  async close(): Promise<void> {
    this.#out.off('error', this.#onError);
  }

  #onError = (error: Error): void => {
    this.#failure = error;
  };

  #records(batch: LaneBatch): Buffer {
    const { event, value } = batch.encoded();
    const parts: Uint8Array[] = [];
    for (let i = 0; i < value.length; i++) {
      const bytes = value[i];
      if (!bytes || batch.skip.has(event[i] as number)) continue; // tombstones have no value: nothing to show
      parts.push(bytes, NEWLINE);
    }
    const all = Buffer.concat(parts);
    if (this.#out.isTTY !== true) return all;
    return Buffer.from(all.toString().split('\n').map(escapeControls).join('\n'));
  }

  #lines(batch: LaneBatch): Buffer {
    const lines = batch.events.filter((_, i) => !batch.skip.has(i)).map((event) => `${formatEvent(event, this.#colors)}\n`);
    return Buffer.from(lines.join(''));
  }

  async #send(chunk: Buffer, signal: AbortSignal): Promise<void> {
    if (this.#failure !== null) throw this.#failed(this.#failure);
    await new Promise<void>((resolve, reject) => {
      const stop = (): void =>
        reject(
          new CdcError('DESTINATION_FAILED', 'Stopped while standard output took nothing more.', { where: this.#where, retriable: true }),
        );
      if (signal.aborted) {
        stop();
        return;
      }
      signal.addEventListener('abort', stop, { once: true });
      this.#out.write(chunk, (error) => {
        signal.removeEventListener('abort', stop);
        if (error) reject(this.#failed(error));
        else resolve();
      });
    });
  }

  #failed(cause: Error): CdcError {
    const closed = (cause as NodeJS.ErrnoException).code === 'EPIPE';
    const message = closed
      ? 'The program that read our standard output has closed it.'
      : `Standard output cannot be written: ${cause.message}`;
    return new CdcError('DESTINATION_FAILED', message, {
      where: this.#where,
      fix: 'Run the pipeline with an open standard output, or write to a file destination.',
      cause,
    });
  }
}

const NEWLINE = Buffer.from('\n');
