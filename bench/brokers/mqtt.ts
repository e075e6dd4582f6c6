// MQTT: both ways against a bare loop of the same client library with the same settings (MQTT 5, QoS 1, 100 messages in flight, the same
// user properties; PUBACKs held until a batch is done), in turns, on Mosquitto. 400-byte values. CPU of this process per message, and
// rates by the clock, which the broker shares. mosquitto_pub is no measure: it ends before its messages are taken.

import { connect, connectAsync, type MqttClient, type Packet } from 'mqtt';
import { descriptor as destinationType } from '../../src/destinations/mqtt/index.ts';
import { testContext } from '../../src/sdk/testing/reading.ts';
import { descriptor as sourceType } from '../../src/sources/mqtt/index.ts';
import { mqttConfig, mqttSourceConfig } from '../../test/helpers/mqtt.ts';
import { OwnMosquitto } from '../../test/helpers/own-mosquitto.ts';
import { BATCH, BUDGET, compare, context, measure, prepare, readMessages, type Sample, writeBatches } from './lib.ts';

const BATCHES = Number(process.argv[2] ?? 50),
  WINDOW = 100,
  MOST = 1000,
  TOPIC = 'bench/items',
  READER = 'bench-reader';
const { events, records, valueBytes, at: batchAt } = prepare();
const batches = Array.from({ length: BATCHES }, (_, n) => batchAt(n));

await using broker = await OwnMosquitto.start();
const { hostname, port, username, password } = new URL(broker.url),
  at = { broker: `mqtt://${hostname}:${port}`, username, password };
const lasting = { clientId: READER, protocolVersion: 5 as const, reconnectPeriod: 0 };
const keeping = { ...lasting, clean: false, properties: { sessionExpiryInterval: 3600, receiveMaximum: MOST } };

/** Sends all batches, some messages at once, each batch awaited. */
async function publishAlone(): Promise<Sample> {
  const client = await connectAsync(broker.url, { protocolVersion: 5 });
  const sample = await measure(BATCH * BATCHES, async () => {
    for (let n = 0; n < BATCHES; n++) await publishBatch(client);
  });
  await client.endAsync();
  return sample;
}

function publishBatch(client: MqttClient): Promise<void> {
  return new Promise((resolve, reject) => {
    let next = 0,
      left = BATCH;
    const send = (): void => {
      const i = next++,
        userProperties = { cdc_id: events[i]?.id as string, cdc_key: (records.key[i] as Buffer).toString() },
        options = { qos: 1 as const, properties: { contentType: 'application/json', userProperties } };
      client.publish(TOPIC, records.value[i] as Buffer, options, (error) => {
        if (error) reject(error);
        else if (--left === 0) resolve();
        else if (next < BATCH) send();
      });
    };
    while (next < WINDOW) send();
  });
}

/** A session that is empty, or full of messages. */
async function session(isFull: boolean): Promise<void> {
  await (await connectAsync(broker.url, { ...lasting, clean: true })).endAsync();
  if (!isFull) return;
  const client = await connectAsync(broker.url, keeping);
  await client.subscribeAsync(TOPIC, { qos: 1 });
  await client.endAsync();
  await publishAlone();
}

const consumeAlone = (): Promise<Sample> => measure(BATCH * BATCHES, readHolding);

interface Sender {
  _sendPacket(packet: Packet, done?: () => void, ...rest: unknown[]): void;
}

/** Reads all, decodes each, and sends the acknowledgements of a batch at once. */
function readHolding(): Promise<void> {
  const client = connect(broker.url, { ...keeping, manualConnect: true }),
    sender = client as unknown as Sender,
    send = sender._sendPacket.bind(client);
  let held: Packet[] = [],
    count = 0;
  return new Promise((resolve) => {
    sender._sendPacket = (packet, next, ...rest) => {
      if (packet.cmd !== 'puback') {
        send(packet, next, ...rest);
        return;
      }
      held.push(packet);
      next?.();
      if (held.length < MOST / 2 && count < BATCH * BATCHES) return;
      for (const p of held) send(p);
      held = [];
      if (count === BATCH * BATCHES) client.end(false, () => resolve());
    };
    client.on('message', (_topic, body, packet) => {
      JSON.parse(String(packet.properties?.userProperties?.['cdc_key']));
      if ((JSON.parse(body.toString()) as { op: string }).op === 'c') {
        count++;
      }
    });
    client.connect();
  });
}

async function consumeBySource(): Promise<Sample> {
  const config = mqttSourceConfig(at, TOPIC, { client_id: READER, receive_maximum: MOST }),
    source = await sourceType.create(config, testContext('bench'));
  return readMessages(source, BATCH * BATCHES, MOST / 2);
}

const destination = await compare(
  'destination',
  () => session(false),
  publishAlone,
  async () => writeBatches(await destinationType.create(mqttConfig(at, { topic: TOPIC, max_in_flight: WINDOW }), context), batches),
);
const source = await compare('source', () => session(true), consumeAlone, consumeBySource);
console.log(
  JSON.stringify({ scenario: 'brokers/mqtt', messages: BATCH * BATCHES, value_bytes: valueBytes, destination, source, budget: BUDGET }),
);
for (const { ratio_rate: ratio } of [destination, source]) if (ratio < BUDGET) process.exitCode = 1;
