// Opens a client of the driver, which is loaded here. The driver never connects again by itself: what was under way on a lost
// connection may have been done, and only its user can find out.

import type { IClientOptions, IConnackPacket, MqttClient } from 'mqtt';
import { tlsOptions } from '../tls.ts';
import { ConnectError, ReasonError } from './driver-errors.ts';
import type { Endpoint } from './endpoint.ts';

export interface SessionOptions {
  readonly clientId: string;
  /** The broker forgets what it had for the client. */
  readonly clean: boolean;
  /** How long the broker keeps the session of a client that is away. */
  readonly expirySeconds: number;
  /** Most messages that the broker may send without an acknowledgement. */
  readonly receiveMaximum: number;
}

export interface Opened {
  readonly client: MqttClient;
  readonly sessionPresent: boolean;
  /** Of CONNACK; empty in 3.1.1. */
  readonly properties: NonNullable<IConnackPacket['properties']>;
}

/**
 * Resolves when the broker has accepted us. `attach` gets the client before anything is received: a session that goes on delivers at once.
 * Throws `CertificateFileError` and `ConnectError`.
 */
export async function openClient(endpoint: Endpoint, session: SessionOptions, attach: (client: MqttClient) => void): Promise<Opened> {
  const [{ connect, Store }, tls] = await Promise.all([import('mqtt'), tlsOptions(endpoint)]),
    // Once it has ended the driver still handles what it had read, and would find no store there: an error that ends the process.
    stores = { incomingStore: new Store({ clean: false }), outgoingStore: new Store({ clean: false }) };
  const options = { ...optionsOf(endpoint, session), ...stores, ...(tls === false ? {} : tls), manualConnect: true };
  const client = connect(options as IClientOptions);
  return new Promise((resolve, reject) => {
    let failure: Error | null = null;
    // The listener stays: without one an error would end the process.
    client.on('error', (error) => {
      failure ??= error;
    });
    client.on('disconnect', ({ reasonCode }) => {
      failure ??= new ReasonError(`the broker ended the connection (reason ${reasonCode})`, reasonCode ?? 0);
    });
    client.once('close', () => {
      client.end(true);
      reject(new ConnectError('no connection', { cause: failure ?? new Error('the broker closed the connection') }));
    });
    client.once('connect', ({ sessionPresent, properties }) => resolve({ client, sessionPresent, properties: properties ?? {} }));
    attach(client);
    client.connect();
  });
}

/** Why a client that is closed was closed, once the driver has told. */
export function watchEnd(client: MqttClient, ended: (error: Error) => void): void {
  let failure: Error | null = null;
  client.on('error', (error) => {
    failure ??= error;
  });
  client.on('disconnect', ({ reasonCode }) => {
    failure ??= new ReasonError(`the broker ended the connection (reason ${reasonCode})`, reasonCode ?? 0);
  });
  client.on('close', () => ended(failure ?? new Error('the broker closed the connection')));
}

function optionsOf(endpoint: Endpoint, { clientId, clean, expirySeconds, receiveMaximum }: SessionOptions): IClientOptions {
  const { host, port, username, password, version, sslMode } = endpoint;
  return {
    protocol: sslMode === 'disable' ? 'mqtt' : 'mqtts',
    host,
    port,
    clientId,
    clean,
    protocolVersion: version,
    keepalive: endpoint.keepaliveSeconds,
    connectTimeout: endpoint.connectTimeoutMs,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(version === 5 ? { properties: { sessionExpiryInterval: expirySeconds, receiveMaximum } } : {}),
  };
}

/** Ends the connection at once; the broker keeps the session. */
export function cut(client: MqttClient): void {
  client.stream?.destroy();
  client.end(true);
}
