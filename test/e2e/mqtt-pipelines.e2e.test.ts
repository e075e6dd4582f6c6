// The pipeline with MQTT as it is shipped, on real servers: from sensors to a Kafka topic, over kills and while it is away.

import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { KafkaPlace, kafkaServers } from '../helpers/kafka.ts';
import { MqttPlace, skipReason } from '../helpers/mqtt.ts';
import { Workspace } from './process.ts';

const noBroker = (await skipReason()) !== null;
const servers = await kafkaServers();

interface Reading {
  readonly after: { readonly sensor: string; readonly n: number };
}

describe.skipIf(noBroker).each(servers)('pipelines/mqtt-to-kafka.yaml, with %s', (server) => {
  it('brings every reading over, in order per sensor, also those that came while it was away', { timeout: 180_000 }, async () => {
    await using mqtt = await MqttPlace.open();
    await using kafka = await KafkaPlace.open(server);
    using work = new Workspace();
    const at = mqtt.at();
    const env = {
      PIPELINE: mqtt.prefix,
      MQTT_BROKER: at.broker,
      MQTT_USER: at.username ?? '',
      MQTT_PASSWORD: at.password ?? '',
      MQTT_TOPICS: mqtt.prefix,
      KAFKA: kafka.brokers,
      KAFKA_TOPIC: kafka.name,
    };
    const run = (...args: string[]) => work.start([resolve('pipelines/mqtt-to-kafka.yaml'), ...args], env);
    let last = 0;
    const measure = async (count: number): Promise<void> => {
      for (const end = last + count; last < end; ) {
        const n = ++last,
          sensor = `s${n % 5}`;
        await mqtt.publish(`${sensor}/${n % 2 ? 'temperature' : 'humidity'}`, JSON.stringify({ sensor, n }));
      }
    };
    await mqtt.publish('s1/pressure', JSON.stringify({ sensor: 's1', n: -1 }));

    // It subscribes, so that the broker keeps readings for it from now on.
    expect(await run('--until-caught-up').ended).toMatchObject({ code: 0 });
    await measure(200);
    const running = run();
    await running.until(/"msg"/);
    await measure(300);
    running.child.kill('SIGKILL');
    await running.ended;
    await measure(100);
    expect(await run('--until-caught-up').ended).toMatchObject({ code: 0 });

    const readings = (await kafka.read(kafka.name)).map(({ key, value }) => ({ key, ...(JSON.parse(String(value)) as Reading).after }));
    expect(new Set(readings.map((r) => r.n))).toEqual(new Set(Array.from({ length: last }, (_, i) => i + 1)));
    for (const sensor of ['s0', 's1', 's2', 's3', 's4']) {
      const own = readings.filter((r) => r.sensor === sensor);
      expect(own.every((r) => r.key === sensor)).toBe(true);
      // Repeats come again from where they began: once seen, the order is that of the sensor.
      const first = own.map((r) => r.n).filter((n, i, all) => all.indexOf(n) === i);
      expect(first).toEqual([...first].sort((a, b) => a - b));
    }
  });
});
