// What can go wrong at a broker while we publish, and what others read of what we wrote: Mosquitto's own client.

import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { MqttConfig } from '../../../src/destinations/mqtt/config.ts';
import { descriptor } from '../../../src/destinations/mqtt/index.ts';
import type { Destination } from '../../../src/sdk/index.ts';
import { Events, ITEMS, item, laneBatch } from '../../../src/sdk/testing/index.ts';
import { timeOf } from '../../../src/sdk/testing/reading.ts';
import { failureOf } from '../../helpers/failure.ts';
import { MqttPlace, mqttConfig, skipReason } from '../../helpers/mqtt.ts';
import { OwnMosquitto } from '../../helpers/own-mosquitto.ts';
import { PostgresProxy } from '../../helpers/postgres-proxy.ts';
import { openReplica, STORED } from '../../helpers/postgresql-lane.ts';

const never = new AbortController().signal;
const open = (at: object, changes: Partial<MqttConfig>): Promise<Destination> => openReplica(mqttConfig(at, changes), { descriptor });

describe.skipIf((await skipReason()) !== null)('a broker', () => {
  it('gives mosquitto_sub what we wrote: topics, payloads, properties, in order', async () => {
    await using place = await MqttPlace.open();
    const { hostname, port, username, password } = new URL(place.url);
    const reader = spawn(
      'mosquitto_sub',
      [
        '-h',
        hostname,
        '-p',
        port,
        '-u',
        username,
        '-P',
        password,
        '-V',
        'mqttv5',
        '-q',
        '1',
        '-t',
        `${place.prefix}/#`,
        '-C',
        '3',
        '-F',
        '%t|%p|%P|%C',
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let said = '';
    reader.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk;
    });
    const over = new Promise((resolve) => reader.once('close', resolve));
    await sleep(500);
    const destination = await open(place.at(), { topic: `${place.prefix}/{schema}/{table}` }),
      e = new Events(),
      events = [1, 2, 3].map((id) => e.create(item(id, `näme ${id}`)));
    expect(await destination.write(laneBatch(events), never)).toEqual(STORED);
    await over;
    const lines = said.trim().split('\n');
    for (const [i, line] of lines.entries()) {
      const [topic, payload, properties, type] = line.split('|');
      expect([topic, type]).toEqual([`${place.prefix}/items`, 'application/json']);
      expect(JSON.parse(payload ?? '')).toMatchObject({ op: 'c', after: { id: i + 1, name: `näme ${i + 1}` } });
      expect(properties).toContain(`cdc_id:${events[i]?.id}`);
      expect(properties).toContain(`cdc_key:{"id":${i + 1}}`);
    }
    expect(lines).toHaveLength(3);
    await destination.close();
  });

  it('is not sent what it would cut the connection for', async () => {
    await using place = await MqttPlace.open();
    const table = { ...ITEMS, id: { ...ITEMS.id, table: 'odd\ttable\u0085' } },
      destination = await open(place.at(), { topic: `${place.prefix}/{table}` }),
      heard = await place.listen(`${place.prefix}/#`),
      batch = laneBatch([1, 2].map((id) => new Events(table).create(item(id, 'a'))));
    const odd = { ...batch.encoded(), key: [Buffer.from('a\u0085'), Buffer.from([0xff])] },
      withHeader = { ...odd, headers: [null, { note: 'two\nlines' }] };
    const result = await destination.write({ ...batch, encoded: () => withHeader }, never);
    expect(result).toMatchObject({ kind: 'refused', failed: [{ index: 1, error: { code: 'DESTINATION_EVENT_REJECTED' } }] });
    expect(await destination.write({ ...batch, encoded: () => odd }, never)).toEqual(STORED);
    await expect.poll(() => heard.length).toBe(2);
    expect(heard.map((packet) => packet.topic)).toEqual(Array(2).fill(`${place.prefix}/odd_table_`));
    expect(heard.map((packet) => packet.properties?.userProperties?.['cdc_key_base64'])).toEqual(['YcKF', '/w==']);
    await destination.close();
  });

  it('keeps the last message of a topic when asked to', async () => {
    await using place = await MqttPlace.open();
    const destination = await open(place.at(), { topic: `${place.prefix}/{table}`, retain: true }),
      e = new Events();
    await destination.write(laneBatch([e.create(item(1, 'a')), e.create(item(2, 'b'))]), never);
    const heard = await place.listen(`${place.prefix}/#`);
    await expect.poll(() => heard.length).toBe(1);
    expect(JSON.parse(String(heard[0]?.payload))).toMatchObject({ after: { id: 2 } });
    await place.client.publishAsync(`${place.prefix}/items`, '', { qos: 1, retain: true });
    await destination.close();
  });

  it('that falls silent is noticed, left within a second by who is stopped, and written when it is back', async () => {
    await using place = await MqttPlace.open();
    await using proxy = await PostgresProxy.start(place.url);
    const destination = await open(place.at(proxy.through(place.url)), { topic: `${place.prefix}/{table}`, keepalive: 1000 }),
      e = new Events(),
      batch = laneBatch([e.create(item(1, 'a'))]);
    expect(await destination.write(batch, never)).toEqual(STORED);
    proxy.isFrozen = true;
    const stop = new AbortController(),
      stopped = failureOf(destination.write(batch, stop.signal));
    await sleep(100);
    stop.abort();
    expect(await timeOf(stopped)).toBeLessThan(1000);
    expect(await stopped).toMatchObject({ retriable: true });
    proxy.isFrozen = false;
    expect(await destination.write(batch, never)).toEqual(STORED);
    proxy.isFrozen = true;
    expect(await failureOf(destination.write(batch, never))).toMatchObject({ code: 'DESTINATION_UNREACHABLE', retriable: true });
    proxy.isFrozen = false;
    expect(await destination.write(batch, never)).toEqual(STORED);
    await destination.close();
  });

  it('that forbids a topic stops the lane', async () => {
    await using broker = await OwnMosquitto.start([], ['topic readwrite open/#']);
    const { hostname, port, username, password } = new URL(broker.url),
      at = { broker: `mqtt://${hostname}:${port}`, username, password },
      batch = laneBatch([new Events().create(item(1, 'a'))]);
    const forbidden = await open(at, { topic: 'secret/{table}' });
    expect(await failureOf(forbidden.write(batch, never))).toMatchObject({ code: 'DESTINATION_FORBIDDEN', retriable: false });
    await forbidden.close();
    const allowed = await open(at, { topic: 'open/{table}' });
    expect(await allowed.write(batch, never)).toEqual(STORED);
    await allowed.close();
  });

  it('that says how large a message may be gets no larger one', async () => {
    await using broker = await OwnMosquitto.start(['max_packet_size 5000']);
    await using place = await MqttPlace.open(broker.url);
    const destination = await open(place.at(), { topic: `${place.prefix}/{table}` }),
      e = new Events(),
      batch = laneBatch([e.create(item(1, 'a')), e.create(item(2, 'x'.repeat(6000)))]);
    expect(await destination.write(batch, never)).toMatchObject({ kind: 'refused', failed: [{ index: 1 }] });
    await destination.close();
  });

  it('that goes away in the midst of a batch is named, and the batch is written again', async () => {
    await using broker = await OwnMosquitto.start();
    const { hostname, port, username, password } = new URL(broker.url),
      at = { broker: `mqtt://${hostname}:${port}`, username, password };
    const destination = await open(at, { topic: 'out/{table}' }),
      e = new Events(),
      batch = laneBatch(Array.from({ length: 3000 }, (_, i) => e.create(item(i, 'x'.repeat(200)))));
    await destination.write(laneBatch([e.create(item(0, 'a'))]), never);
    const writing = failureOf(destination.write(batch, never));
    await sleep(5);
    await broker.end('SIGKILL');
    expect(await writing).toMatchObject({ code: 'DESTINATION_UNREACHABLE', retriable: true });
    expect(await failureOf(destination.write(batch, never))).toMatchObject({ code: 'DESTINATION_UNREACHABLE', retriable: true });
    await broker.start();
    expect(await destination.write(batch, never)).toEqual(STORED);
    await destination.close();
  });
});
