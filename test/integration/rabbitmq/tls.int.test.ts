// A server that encrypts and lets nobody in without a certificate.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { descriptor as destinationType } from '../../../src/destinations/rabbitmq/index.ts';
import { Events, item, laneBatch, memoryStore } from '../../../src/sdk/testing/index.ts';
import { readToEnd, testContext } from '../../../src/sdk/testing/reading.ts';
import { descriptor as sourceType } from '../../../src/sources/rabbitmq/index.ts';
import { OwnRabbitmq } from '../../helpers/own-rabbitmq.ts';
import { openReplica, STORED } from '../../helpers/postgresql-lane.ts';
import { RabbitPlace, rabbitmqConfig, rabbitmqSourceConfig, skipReason } from '../../helpers/rabbitmq.ts';
import { errorsOf, expectedOf, TLS_CASES, TlsFiles, type TlsSettings } from '../../helpers/tls-cases.ts';

describe.skipIf((await skipReason()) !== null)('a server that asks for certificates', () => {
  let files: TlsFiles, server: OwnRabbitmq, place: RabbitPlace;
  beforeAll(async () => {
    files = new TlsFiles();
    const { ca, cert, key } = files.own;
    server = await OwnRabbitmq.start((port, tlsPort) => [
      `listeners.tcp.1 = 127.0.0.1:${port}`,
      `listeners.ssl.1 = 127.0.0.1:${tlsPort}`,
      `ssl_options.cacertfile = ${ca}`,
      `ssl_options.certfile = ${cert}`,
      `ssl_options.keyfile = ${key}`,
      'ssl_options.verify = verify_peer',
      'ssl_options.fail_if_no_peer_cert = true',
    ]);
    place = await RabbitPlace.open(server.url);
    await place.makeQueue();
  });
  afterAll(async () => {
    await place[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
    files[Symbol.dispose]();
  });

  const encrypted = (host: string): string => {
    const url = new URL(server.url.replace('amqp:', 'amqps:'));
    return Object.assign(url, { host: `${host}:${server.tlsPort}` }).href;
  };
  const openBoth = async (url: string, changes: { tls?: TlsSettings }) => ({
    destination: await openReplica(rabbitmqConfig(url, { queue: place.queue, ...changes }), { descriptor: destinationType }),
    source: await sourceType.create(rabbitmqSourceConfig(url, place.queue, changes), testContext('rabbitmq', memoryStore())),
  });

  it.each(TLS_CASES)('is %s', async (_, one) => {
    const { destination, source } = await openBoth(encrypted(one.host), { tls: one.tls(files) });
    expect(await errorsOf(destination, source)).toEqual(expectedOf(one));
  });

  it('is closed to who does not encrypt', async () => {
    const { destination, source } = await openBoth(encrypted('localhost').replace('amqps:', 'amqp:'), {});
    expect(await errorsOf(destination, source)).toEqual(['DESTINATION_UNREACHABLE', 'SOURCE_UNREACHABLE']);
  });

  it('takes and gives messages over the encrypted connection', async () => {
    const [[, { host, tls }]] = TLS_CASES as [(typeof TLS_CASES)[number]],
      { destination, source } = await openBoth(encrypted(host), { tls: tls(files) }),
      e = new Events(),
      events = Array.from({ length: 500 }, (_, i) => e.create(item(i, 'x'.repeat(1000))));
    expect(await destination.write(laneBatch(events), new AbortController().signal)).toEqual(STORED);
    const read = (await readToEnd(source)).events.map((event) => event.after?.['after']);
    expect(read).toEqual(events.map((event) => event.after));
    await Promise.all([destination.close(), source.close()]);
  });
});
