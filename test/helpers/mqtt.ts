// A real Mosquitto for integration tests: where it is, why it is not there, topics of a test's own, and who listens to them.

import { connectAsync, type IPublishPacket, type MqttClient } from 'mqtt';
import { serviceUrl } from '../../scripts/services/service-url.ts';
import type { MqttConfig } from '../../src/destinations/mqtt/config.ts';
import type { MqttSourceConfig } from '../../src/sources/mqtt/config.ts';

/** `null` when there is a broker. Otherwise the reason to skip, printed once; where `CI` is set a missing broker is an error. */
export async function skipReason(): Promise<string | null> {
  if ((await serviceUrl('mosquitto')) !== null) return null;
  const reason = 'no Mosquitto for tests: run `npm run services up mosquitto`, or set CDC_TEST_MQTT_URL';
  if (process.env['CI']) throw new Error(reason);
  console.warn(`SKIPPED: ${reason}`);
  return reason;
}

let last = 0;
const ownName = (): string => `cdc-${process.pid}-${++last}-${Date.now() % 1e8}`;

/** A place of its own: topics below a prefix, and clients that end with its `await using` scope. */
export class MqttPlace implements AsyncDisposable {
  /** With the login. */
  readonly url: string;
  readonly prefix = ownName();
  readonly client: MqttClient;
  readonly #others: MqttClient[] = [];
  readonly #sessions: string[] = [];

  private constructor(url: string, client: MqttClient) {
    this.url = url;
    this.client = client;
  }

  static async open(url?: string): Promise<MqttPlace> {
    const at = url ?? (await serviceUrl('mosquitto')) ?? '',
      client = await connectAsync(at, { protocolVersion: 5, clientId: ownName() });
    client.on('error', () => {});
    return new MqttPlace(at, client);
  }

  /** Its address and login as configurations have them, perhaps by way of a proxy. */
  at(url = this.url): Pick<MqttSourceConfig, 'broker' | 'username' | 'password'> {
    const { hostname, port, username, password } = new URL(url);
    return { broker: `mqtt://${hostname}:${port}`, username, password };
  }

  /** A client id whose session is there already, subscribed: what is published from now on waits for it. */
  async session(filter: string, version: 4 | 5 = 5, qos: 0 | 1 | 2 = 1): Promise<string> {
    const clientId = ownName();
    const client = await connectAsync(this.url, { ...this.#lasting(version), clientId });
    await client.subscribeAsync(filter, { qos });
    await client.endAsync();
    this.#sessions.push(clientId);
    return clientId;
  }

  async publish(topic: string, body: string | Buffer, userProperties: Record<string, string> = {}, qos: 0 | 1 | 2 = 1): Promise<void> {
    const properties = Object.keys(userProperties).length === 0 ? {} : { properties: { userProperties } };
    await this.client.publishAsync(`${this.prefix}/${topic}`, body, { qos, ...properties });
  }

  /** All that comes to a filter from now on, in order. */
  async listen(filter: string): Promise<IPublishPacket[]> {
    const heard: IPublishPacket[] = [],
      client = await connectAsync(this.url, { protocolVersion: 5, clientId: ownName() });
    client.on('error', () => {});
    client.on('message', (_topic, _body, packet) => heard.push(packet));
    await client.subscribeAsync(filter, { qos: 1 });
    this.#others.push(client);
    return heard;
  }

  #lasting(version: 4 | 5): object {
    return {
      protocolVersion: version,
      clean: false,
      reconnectPeriod: 0,
      ...(version === 5 ? { properties: { sessionExpiryInterval: 3600 } } : {}),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of [this.client, ...this.#others]) await client.endAsync(true).catch(() => undefined);
    for (const clientId of this.#sessions) {
      const client = await connectAsync(this.url, { clientId, clean: true, reconnectPeriod: 0 }).catch(() => null);
      await client?.endAsync().catch(() => undefined);
    }
  }
}

const CONNECTION = { protocol_version: '5', connection_timeout: 2000, keepalive: 30_000, qos: 1 };

/** As the loader hands it over. */
export function mqttSourceConfig(at: object, topic: string, changes: Partial<MqttSourceConfig> = {}): MqttSourceConfig {
  const own = { clean: false, session_expiry: 3_600_000, retain: 'use', receive_maximum: 1000, idle_timeout: 500, envelope: 'row' };
  return { ...at, topics: [topic], ...CONNECTION, ...own, ...changes } as MqttSourceConfig;
}

/** As the loader hands it over. */
export function mqttConfig(at: object, changes: Partial<MqttConfig> = {}): MqttConfig {
  const own = { topic: '{topic}', retain: false, max_in_flight: 100, on_schema_error: 'wait' };
  return { ...at, ...CONNECTION, ...own, ...changes } as MqttConfig;
}
