// A pipeline's document as the text of one generation file, checksummed. Pure.
//
// | part | example |
// |---|---|
// | first line | `cdc-run-state 1 42 9f86d0…`: format version, generation, SHA-256 of the two numbers and the rest |
// | the rest | JSON of the document; ids of delivered messages are in files of their own and named here |

import { createHash } from 'node:crypto';
import { type DocumentParts, PipelineDocument } from './document.ts';
import type { ErrorRecord } from './store.ts';

/** Version that this program writes. */
export const DOCUMENT_VERSION = 1;

/** A file with the ids of one bucket: written once, never changed. */
export interface IdsFile {
  readonly bucket: number;
  readonly lastMs: number;
  readonly file: string;
  readonly sha256: string;
}

export interface DocumentText {
  readonly pipeline: string;
  /** Everything of it was removed by an operator. */
  readonly forgotten: boolean;
  /** `delivered` is empty: see `ids`. */
  readonly document: PipelineDocument;
  readonly ids: readonly IdsFile[];
}

export type ParsedText =
  | { readonly kind: 'whole'; readonly content: DocumentText }
  | { readonly kind: 'newer'; readonly version: number }
  | { readonly kind: 'damaged'; readonly why: string };

export function sha256(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function formatDocument(generation: number, { pipeline, forgotten, document, ids }: DocumentText): string {
  const { owner, untilMs, head, transformer, lanes, runs, errors, values, checkpoints } = document.parts;
  const body = JSON.stringify({
    pipeline,
    forgotten,
    owner,
    until_ms: untilMs,
    head,
    transformer: transformer && { point: transformer.point, state: base64(transformer.state) },
    lanes: [...lanes],
    runs: [...runs],
    errors: [...errors.values()],
    values: [...values].map(([key, value]) => [key, base64(value)]),
    checkpoints,
    ids,
  });
  const numbers = `${DOCUMENT_VERSION} ${generation}`;
  return `cdc-run-state ${numbers} ${sha256(`${numbers}\n${body}`)}\n${body}`;
}

const FIRST_LINE = /^cdc-run-state ((\d+) (\d+)) ([0-9a-f]{64})$/;

/** `generation`: what the name of the file says. */
export function parseDocument(generation: number, text: string): ParsedText {
  const end = text.indexOf('\n');
  const line = FIRST_LINE.exec(text.slice(0, Math.max(0, end)));
  if (line === null) return { kind: 'damaged', why: 'its first line cannot be read' };
  const body = text.slice(end + 1);
  const [, numbers, version, number, checksum] = line;
  if (Number(version) > DOCUMENT_VERSION) return { kind: 'newer', version: Number(version) };
  if (Number(number) !== generation) return { kind: 'damaged', why: `it holds generation ${number}` };
  if (sha256(`${numbers}\n${body}`) !== checksum) return { kind: 'damaged', why: 'it does not match its checksum' };
  // The checksum matches: what follows was written by this program.
  return { kind: 'whole', content: parseBody(body) };
}

interface Body {
  readonly pipeline: string;
  readonly forgotten: boolean;
  readonly owner: string | null;
  readonly until_ms: number;
  readonly head: string;
  readonly transformer: { readonly point: string; readonly state: string } | null;
  readonly lanes: [string, string][];
  readonly runs: [number, string][];
  readonly errors: readonly ErrorRecord[];
  readonly values: [string, string][];
  readonly checkpoints: DocumentParts['checkpoints'];
  readonly ids: readonly IdsFile[];
}

function parseBody(text: string): DocumentText {
  const body = JSON.parse(text) as Body;
  const document = new PipelineDocument({
    owner: body.owner,
    untilMs: body.until_ms,
    head: body.head,
    transformer: body.transformer && { point: body.transformer.point, state: bytes(body.transformer.state) },
    lanes: new Map(body.lanes),
    runs: new Map(body.runs),
    errors: new Map(body.errors.map((e) => [e.component, e])),
    values: new Map(body.values.map(([key, value]) => [key, bytes(value)])),
    checkpoints: body.checkpoints,
    delivered: new Map(),
  });
  return { pipeline: body.pipeline, forgotten: body.forgotten, document, ids: body.ids };
}

function base64(data: Uint8Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64');
}

function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}
