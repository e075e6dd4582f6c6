// A broker that encrypts and lets nobody in without a certificate.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { descriptor as destinationType } from '../../../src/destinations/mqtt/index.ts';
import { Events, item, laneBatch, memoryStore } from '../../../src/sdk/testing/index.ts';
import { readToEnd, testContext } from '../../../src/sdk/testing/reading.ts';
import { descriptor as sourceType } from '../../../src/sources/mqtt/index.ts';
import { MqttPlace, mqttConfig, mqttSourceConfig, skipReason } from '../../helpers/mqtt.ts';
import { OwnMosquitto } from '../../helpers/own-mosquitto.ts';
import { openReplica, STORED } from '../../helpers/postgresql-lane.ts';
import { errorsOf, expectedOf, TLS_CASES, TlsFiles, type TlsSettings } from '../../helpers/tls-cases.ts';

describe.skipIf((await skipReason()) !== null)('a broker that asks for certificates', () => {
  let files: TlsFiles, broker: OwnMosquitto, place: MqttPlace;
  beforeAll(async () => {
    files = new TlsFiles();
    const { ca, cert, key } = files.own;
    broker = await OwnMosquitto.start((tlsPort) => [
      `listener ${tlsPort} 127.0.0.1`,
      `cafile ${ca}`,
      `certfile ${cert}`,
      `keyfile ${key}`,
      'require_certificate true',
    ]);
    place = await MqttPlace.open(broker.url);
  });
  afterAll(async () => {
    await place[Symbol.asyncDispose]();
    await broker[Symbol.asyncDispose]();
    files[Symbol.dispose]();
  });

  const openBoth = async (scheme: 'mqtt' | 'mqtts', host: string, changes: { tls?: TlsSettings; client_id?: string }) => {
    const at = { ...place.at(), broker: `${scheme}://${host}:${broker.tlsPort}` },
      { client_id: _, ...shared } = changes;
    return {
      destination: await openReplica(mqttConfig(at, { topic: `${place.prefix}/{table}`, ...shared }), { descriptor: destinationType }),
      source: await sourceType.create(mqttSourceConfig(at, `${place.prefix}/#`, changes), testContext('mqtt', memoryStore())),
    };
  };

  it.each(TLS_CASES)('is %s', async (_, one) => {
    const { destination, source } = await openBoth('mqtts', one.host, { tls: one.tls(files) });
    expect(await errorsOf(destination, source)).toEqual(expectedOf(one));
  });

  it('is closed to who does not encrypt', async () => {
    const { destination, source } = await openBoth('mqtt', 'localhost', {});
    expect(await errorsOf(destination, source)).toEqual(['DESTINATION_UNREACHABLE', 'SOURCE_UNREACHABLE']);
  });

  it('takes and gives messages over the encrypted connection', async () => {
    const [[, { host, tls }]] = TLS_CASES as [(typeof TLS_CASES)[number]],
      client_id = await place.session(`${place.prefix}/#`),
      { destination, source } = await openBoth('mqtts', host, { tls: tls(files), client_id }),
      e = new Events(),
      events = Array.from({ length: 500 }, (_, i) => e.create(item(i, 'x'.repeat(1000))));
    expect(await destination.write(laneBatch(events), new AbortController().signal)).toEqual(STORED);
    const read = (await readToEnd(source)).events.map((event) => event.after?.['after']);
    expect(read).toEqual(events.map((event) => event.after));
    await Promise.all([destination.close(), source.close()]);
  });
});
