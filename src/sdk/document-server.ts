// A server that keeps a text per name and swaps it against another one: what the state of pipelines needs of a system. Not public.

import type { Finding } from './errors.ts';

/** Bytes beside the text, written once and never changed; the name tells the content. */
export interface DocumentPart {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface DocumentSwap {
  /** First line of the text that is there now; `null`: there is none. */
  readonly before: string | null;
  readonly text: string;
  readonly add: readonly DocumentPart[];
  /** Names of parts; those that are not there do no harm. */
  readonly remove: readonly string[];
}

/** All throw `STATE_UNAVAILABLE`, retriable where waiting may help; whether a swap was made is unknown then. */
export interface DocumentServer {
  /** For messages; never with a password. */
  readonly address: string;
  /** What is to be said of the server as a place for state. */
  check(): Promise<readonly Finding[]>;
  /** In no order. */
  names(): Promise<readonly string[]>;
  text(name: string): Promise<string | null>;
  part(name: string, part: string): Promise<Uint8Array | null>;
  /** At once and whole; `false`: what is there begins with another line, and nothing was done. */
  swap(name: string, swap: DocumentSwap): Promise<boolean>;
  close(): Promise<void>;
}
