// State on a server that swaps one text per pipeline for the next: a generation each, as in the store `file`. The server compares
// the first line, which has number and checksum, and so keeps two processes apart without a lock.

import type { DocumentServer } from '../sdk/document-server.ts';
import { type CdcError, toCdcError } from '../sdk/index.ts';
import { DocumentStateStore, type StoredDocument, TakenError } from './document-store.ts';
import { type DocumentText, formatDocument, type IdsFile, parseDocument, sha256 } from './document-text.ts';
import { remoteError } from './errors.ts';
import type { DeliveredIds } from './store.ts';

interface Found extends StoredDocument {
  readonly content: DocumentText;
  readonly number: number;
  readonly firstLine: string;
}

/** Throws `STATE_UNAVAILABLE` where the server is no place for state. */
export async function openRemoteStateStore(server: DocumentServer, warn: (message: string) => void): Promise<RemoteStateStore> {
  try {
    for (const { level, message, fix } of await server.check()) {
      if (level === 'error')
        throw remoteError('STATE_UNAVAILABLE', server.address, `cannot be kept there: ${message}.`, fix ?? 'Choose another server.');
      if (level === 'warning') warn(`state at ${server.address}: ${message}`);
    }
    return new RemoteStateStore(server);
  } catch (error) {
    await server.close();
    throw error;
  }
}

class RemoteStateStore extends DocumentStateStore<Found> {
  readonly #server: DocumentServer;
  readonly #known = new Map<string, Found>();
  /** The newest generation that was ever seen of a pipeline. */
  readonly #highest = new Map<string, number>();
  /** Ids of a bucket have the name of their content: they are written once, and named again by each generation. */
  readonly #idsFiles = new WeakMap<DeliveredIds, IdsFile>();

  constructor(server: DocumentServer) {
    super();
    this.#server = server;
  }

  close(): Promise<void> {
    return this.#server.close();
  }

  protected async newest(pipeline: string): Promise<Found | null> {
    const text = await this.#server.text(pipeline),
      known = this.#known.get(pipeline);
    if (text !== null && known !== undefined && text.startsWith(`${known.firstLine}\n`)) return known;
    const found = text === null ? null : await this.#parse(pipeline, text),
      highest = this.#highest.get(pipeline) ?? 0;
    // Invariant 1: what was confirmed since would be forgotten in silence. The next start knows what to do with an older copy.
    if ((found?.number ?? 0) < highest)
      throw this.#corrupt(
        pipeline,
        `went back from generation ${highest} to ${found?.number ?? 'nothing'}.`,
        'Find out whether a failover lost writes, and start the pipeline again: it says what the older state lacks.',
      );
    if (found !== null) this.#keep(pipeline, found);
    return found;
  }

  protected async known(pipeline: string): Promise<Found | null> {
    return this.#known.get(pipeline) ?? this.newest(pipeline);
  }

  protected async replace(pipeline: string, before: Found | null, { forgotten, document }: StoredDocument['content']): Promise<void> {
    const number = (before?.number ?? 0) + 1,
      buckets = [...document.parts.delivered.values()].map((bucket) => ({ bucket, file: this.#idsFiles.get(bucket) ?? fileOf(bucket) })),
      ids = buckets.map(({ file }) => file),
      content: DocumentText = { pipeline, forgotten, document, ids },
      text = formatDocument(number, content),
      names = new Set(ids.map(({ file }) => file));
    const isDone = await this.#server.swap(pipeline, {
      before: before?.firstLine ?? null,
      text,
      add: buckets.filter(({ bucket }) => !this.#idsFiles.has(bucket)).map(({ bucket, file }) => ({ name: file.file, bytes: bucket.ids })),
      remove: (before?.content.ids ?? []).map(({ file }) => file).filter((name) => !names.has(name)),
    });
    if (!isDone) {
      this.#known.delete(pipeline);
      throw new TakenError();
    }
    for (const { bucket, file } of buckets) this.#idsFiles.set(bucket, file);
    this.#keep(pipeline, { content, number, firstLine: firstLineOf(text) });
  }

  protected names(): Promise<readonly string[]> {
    return this.#server.names();
  }

  protected classify(error: unknown): CdcError {
    return toCdcError(error, 'STATE_UNAVAILABLE', { where: 'state.url' });
  }

  #keep(pipeline: string, found: Found): void {
    this.#known.set(pipeline, found);
    this.#highest.set(pipeline, found.number);
  }

  async #parse(pipeline: string, text: string): Promise<Found> {
    const firstLine = firstLineOf(text),
      number = Number(firstLine.split(' ')[2]),
      parsed = parseDocument(number, text);
    if (parsed.kind === 'damaged') throw this.#corrupt(pipeline, `is damaged: ${parsed.why}.`, CORRUPT_FIX);
    if (parsed.kind === 'newer')
      throw remoteError(
        'STATE_VERSION',
        this.#server.address,
        `has version ${parsed.version}, which this program does not know.`,
        NEWER_FIX,
      );
    for (const file of parsed.content.ids) {
      const ids = await this.#server.part(pipeline, file.file);
      if (ids === null || sha256(ids) !== file.sha256)
        throw this.#corrupt(pipeline, 'is damaged: ids of delivered messages are missing or changed.', CORRUPT_FIX);
      const bucket = { bucket: file.bucket, lastMs: file.lastMs, ids };
      this.#idsFiles.set(bucket, file);
      parsed.content.document.parts.delivered.set(file.bucket, bucket);
    }
    return { content: parsed.content, number, firstLine };
  }

  #corrupt(pipeline: string, what: string, fix: string): CdcError {
    return remoteError('STATE_CORRUPT', `${this.#server.address} of pipeline "${pipeline}"`, what, fix);
  }
}

const CORRUPT_FIX = 'Restore the server from a backup, or remove the key and start anew: the pipeline then says what it cannot know.';
const NEWER_FIX = 'Run the newer cdc-run that wrote it, or set state.url to another database.';

const firstLineOf = (text: string): string => text.slice(0, Math.max(0, text.indexOf('\n')));

/** The name is that of the content. */
function fileOf({ bucket, lastMs, ids }: DeliveredIds): IdsFile {
  const name = sha256(ids);
  return { bucket, lastMs, file: name, sha256: name };
}
