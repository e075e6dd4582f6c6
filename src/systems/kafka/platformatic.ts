// The client with @platformatic/kafka, for producers without transactions: less than half of kafkajs' time for a record. The library
// connects, logs in, and knows who leads a partition; batches are made here, because it writes a null key or value as an empty
// one (1.22), which is no tombstone. Everything else is asked by kafkajs.

import { isIP } from 'node:net';
import { promisify } from 'node:util';
import type * as Library from '@platformatic/kafka';
import { CdcError } from '../../sdk/index.ts';
import { tlsOptions } from '../tls.ts';
import type { Admin, Consumer, ConsumerOptions, KafkaClient, Producer, TransactionalProducer } from './client.ts';
import { brokersOf, type ConnectionConfig, securityOf } from './config.ts';
import { type ClientContext, KafkajsClient } from './kafkajs.ts';
import { load } from './load.ts';
import { tokenProvider } from './oauth.ts';
import { PlatformaticProducer } from './platformatic-producer.ts';

/** A handful of tries for what passes in a moment, as with kafkajs: what lasts is for the engine. */
const RETRIES = 4,
  RETRY_DELAY_MS = 250;

const gzipAsync = async (buffer: Buffer): Promise<Buffer> => promisify((await import('node:zlib')).gzip)(buffer) as Promise<Buffer>;

/** Compression of the records of a batch, by the name in the configuration. The same libraries as with kafkajs. */
async function compress(name: string, buffer: Buffer): Promise<Buffer> {
  if (name === 'none') return buffer;
  if (name === 'gzip') return gzipAsync(buffer);
  const { lz4Codec, snappyCodec, zstdCodec } = await import('./codecs.ts'),
    codecs: Readonly<Record<string, typeof lz4Codec>> = { snappy: snappyCodec, lz4: lz4Codec, zstd: zstdCodec };
  return (codecs[name] as typeof lz4Codec).compress({ buffer });
}

let isGuarded = false;

/** Connections tell of errors that nobody listens to once they have told of one, which would end the process. */
function guardConnections({ instancesChannel }: typeof Library): void {
  if (isGuarded) return;
  isGuarded = true;
  instancesChannel.subscribe((message) => {
    const { type, instance } = message as { type: string; instance: Library.Connection };
    if (type === 'connection') instance.on('error', () => undefined);
  });
}

export class PlatformaticClient implements KafkaClient {
  readonly #config: ConnectionConfig;
  readonly #ctx: ClientContext;
  readonly #others: KafkajsClient;
  readonly #tokens: (() => Promise<string>) | null;

  constructor(config: ConnectionConfig, ctx: ClientContext) {
    this.#config = config;
    this.#ctx = ctx;
    this.#others = new KafkajsClient(config, ctx);
    this.#tokens = config.sasl_oauth === undefined ? null : tokenProvider(config.sasl_oauth, ctx.clock);
  }

  admin(): Admin {
    return this.#others.admin();
  }
  consumer(options: ConsumerOptions): Consumer {
    return this.#others.consumer(options);
  }
  transactionalProducer(): TransactionalProducer {
    throw new CdcError('INTERNAL_UNEXPECTED', 'this client has no transactions');
  }

  producer({ idempotent }: { readonly idempotent: boolean }): Producer {
    return new PlatformaticProducer({
      open: () => this.#open(),
      compress,
      idempotent,
      clock: this.#ctx.clock,
      requestTimeoutMs: this.#config.request_timeout,
    });
  }

  async #open(): Promise<{ library: typeof Library; producer: Library.Producer }> {
    const library = await load('@platformatic/kafka', () => import('@platformatic/kafka')),
      brokers = brokersOf(this.#config),
      tls = await this.#tls(),
      sasl = this.#login();
    guardConnections(library);
    const producer = new library.Producer({
      clientId: this.#config.client_id,
      bootstrapBrokers: brokers,
      connectTimeout: this.#config.connection_timeout,
      timeout: this.#config.request_timeout,
      retries: RETRIES,
      retryDelay: RETRY_DELAY_MS,
      autocreateTopics: false,
      ...(tls === false ? {} : { tls, tlsServerName: brokers.every((b) => isIP(b.replace(/:\d+$/, '')) === 0) }),
      ...(sasl === null ? {} : { sasl }),
    });
    return { library, producer };
  }

  #tls(): ReturnType<typeof tlsOptions> {
    const { ssl_ca: sslCa, ssl_cert: sslCert, ssl_key: sslKey } = this.#config;
    if (!securityOf(this.#config).isEncrypted) return Promise.resolve(false);
    return tlsOptions({
      sslMode: 'verify-full',
      ...(sslCa === undefined ? {} : { sslCa }),
      ...(sslCert === undefined ? {} : { sslCert }),
      ...(sslKey === undefined ? {} : { sslKey }),
    });
  }

  #login(): Library.SASLOptions | null {
    const { mechanism } = securityOf(this.#config),
      { sasl_username: username = '', sasl_password: password = '' } = this.#config;
    if (mechanism === null) return null;
    if (mechanism !== 'OAUTHBEARER') return { mechanism, username, password };
    const tokens = this.#tokens;
    if (tokens === null) throw new CdcError('INTERNAL_UNEXPECTED', 'OAUTHBEARER without `sasl_oauth`');
    return { mechanism, token: tokens };
  }
}
