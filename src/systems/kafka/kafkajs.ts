// The client with kafkajs: each part has connections of its own, so that each can be cut off alone. The library is loaded with the
// first one.

import type { ConnectionOptions as TlsOptions } from 'node:tls';
import type * as Library from 'kafkajs';
import { CdcError, type Clock, type Logger } from '../../sdk/index.ts';
import { tlsOptions } from '../tls.ts';
import type { Admin, Consumer, ConsumerOptions, KafkaClient, Producer, TransactionalProducer } from './client.ts';
import { brokersOf, type ConnectionConfig, securityOf } from './config.ts';
import { KafkajsAdmin } from './kafkajs-admin.ts';
import { KafkajsConsumer } from './kafkajs-consumer.ts';
import { KafkajsProducer, KafkajsTransactionalProducer } from './kafkajs-producer.ts';
import { CODECS, type Part } from './kafkajs-types.ts';
import { load } from './load.ts';
import { tokenProvider } from './oauth.ts';
import { Sockets } from './sockets.ts';

/**
 * A handful of tries for what passes in a moment (a new leader, a coordinator that is being found); what lasts is for the engine,
 * which says so to people and waits longer. Their sum is about two seconds.
 */
const RETRY = { initialRetryTime: 100, maxRetryTime: 1000, retries: 4, multiplier: 2, factor: 0.2 } as const;

async function loadLibrary(): Promise<typeof Library> {
  const module = await load('kafkajs', () => import('kafkajs'));
  const library = (module as unknown as { default?: typeof Library }).default ?? module,
    { lz4Codec, snappyCodec, zstdCodec } = await import('./codecs.ts');
  const codecs = library.CompressionCodecs as unknown as Record<number, () => unknown>;
  codecs[CODECS.snappy] = () => snappyCodec;
  codecs[CODECS.lz4] = () => lz4Codec;
  codecs[CODECS.zstd] = () => zstdCodec;
  return library;
}

export interface ClientContext {
  readonly clock: Clock;
  readonly logger: Logger;
}

export class KafkajsClient implements KafkaClient {
  readonly #config: ConnectionConfig;
  readonly #ctx: ClientContext;
  readonly #tokens: (() => Promise<string>) | null;
  #library: Promise<typeof Library> | null = null;

  constructor(config: ConnectionConfig, ctx: ClientContext) {
    this.#config = config;
    this.#ctx = ctx;
    this.#tokens = config.sasl_oauth === undefined ? null : tokenProvider(config.sasl_oauth, ctx.clock);
  }

  admin(): Admin {
    return new KafkajsAdmin(() => this.#part());
  }
  producer(options: { readonly idempotent: boolean }): Producer {
    return new KafkajsProducer(() => this.#part(), options.idempotent);
  }
  transactionalProducer(options: { readonly id: string; readonly timeoutMs: number }): TransactionalProducer {
    return new KafkajsTransactionalProducer(() => this.#part(), options);
  }
  consumer(options: ConsumerOptions): Consumer {
    return new KafkajsConsumer(() => this.#part(), options);
  }

  async #part(): Promise<Part> {
    this.#library ??= loadLibrary();
    const library = await this.#library,
      sockets = new Sockets(),
      { connection_timeout: connectionTimeout, request_timeout: requestTimeout } = this.#config;
    // The library says "no brokers" when a token cannot be had: asked for here, the reason is told.
    if (securityOf(this.#config).mechanism === 'OAUTHBEARER') await this.#tokens?.();
    const ssl = await this.#tls(),
      sasl = this.#login();
    const kafka = new library.Kafka({
      clientId: this.#config.client_id,
      brokers: brokersOf(this.#config),
      connectionTimeout,
      authenticationTimeout: connectionTimeout,
      requestTimeout,
      retry: { ...RETRY },
      socketFactory: sockets.create as unknown as Library.ISocketFactory,
      logLevel: library.logLevel.WARN,
      logCreator: () => (entry) => this.#log(entry),
      ...(ssl === false ? {} : { ssl }),
      ...(sasl === null ? {} : { sasl }),
    });
    return { library, kafka, sockets };
  }

  #tls(): Promise<TlsOptions | false> {
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
    switch (mechanism) {
      case null:
        return null;
      case 'PLAIN':
        return { mechanism: 'plain', username, password };
      case 'SCRAM-SHA-256':
        return { mechanism: 'scram-sha-256', username, password };
      case 'SCRAM-SHA-512':
        return { mechanism: 'scram-sha-512', username, password };
      case 'OAUTHBEARER': {
        const tokens = this.#tokens;
        if (tokens === null) throw new CdcError('INTERNAL_UNEXPECTED', 'OAUTHBEARER without `sasl_oauth`');
        return { mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value: await tokens() }) };
      }
    }
  }

  /** What the library finds worth a word is for people who look for a fault: what fails is thrown besides. */
  #log({ namespace, log: { message, error } }: Library.LogEntry): void {
    this.#ctx.logger.debug(`kafkajs ${namespace}: ${message}`, typeof error === 'string' ? { error } : {});
  }
}
