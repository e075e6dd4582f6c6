// What the parts of the kafkajs client have in common. Types only of the library, which is loaded later.

import type * as Library from 'kafkajs';
import type { Compression } from './client.ts';
import type { Sockets } from './sockets.ts';

export interface KafkaJSCompressionCodec {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>;
  decompress(bytes: Buffer): Promise<Buffer>;
}

/** A client of the library with connections that can be cut. */
export interface Part {
  readonly library: typeof Library;
  readonly kafka: Library.Kafka;
  readonly sockets: Sockets;
}

/** Codes of compression in a batch's attributes. */
export const CODECS: Readonly<Record<Compression, number>> = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 };
