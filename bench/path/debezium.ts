// Debezium's connector in a worker of Kafka Connect, with the fastest settings of those tried. Two slots one after another in one
// JVM: the first run begins with the start of the process, as ours do; the second has a warm JIT.

import type { ConnectInstallation } from '../../scripts/services/connect-install.ts';
import { ConnectWorker, type Properties } from '../../test/third-party/connect.ts';
import { withCopy } from '../postgres/measure.ts';
import { PUBLICATION } from '../postgres/workload.ts';
import { freshPrefix, type Path, type Told, told, topicOf } from './path.ts';
import { WatchedTopic } from './topic.ts';

const JVM = ['-Xms2g', '-Xmx2g', '-XX:+UseParallelGC'];

const worker = (path: Path): Properties => ({
  'bootstrap.servers': path.broker.address,
  'plugin.discovery': 'service_load',
  'key.converter': 'org.apache.kafka.connect.json.JsonConverter',
  'value.converter': 'org.apache.kafka.connect.json.JsonConverter',
  'key.converter.schemas.enable': 'false',
  'value.converter.schemas.enable': 'false',
  'producer.acks': 'all',
  'producer.enable.idempotence': 'true',
  'producer.max.in.flight.requests.per.connection': '5',
  'producer.batch.size': '1000000',
  'producer.linger.ms': '100',
  'producer.buffer.memory': '67108864',
});

function connector(path: Path, slot: string, prefix: string): Properties & { readonly name: string } {
  const { hostname, port, username, pathname } = new URL(path.cluster.url);
  return {
    name: prefix,
    'connector.class': 'io.debezium.connector.postgresql.PostgresConnector',
    'tasks.max': '1',
    'topic.prefix': prefix,
    'database.hostname': hostname,
    'database.port': port,
    'database.user': username,
    'database.password': 'none',
    'database.dbname': pathname.slice(1),
    'plugin.name': 'pgoutput',
    'slot.name': slot,
    'publication.name': PUBLICATION,
    'publication.autocreate.mode': 'disabled',
    'table.include.list': 'public.orders',
    'snapshot.mode': 'no_data',
    'max.batch.size': '8192',
    'max.queue.size': '32768',
    'poll.interval.ms': '10',
    'tombstones.on.delete': 'false',
    // Four headers on every record.
    'extended.headers.enabled': 'false',
  };
}

/** `warm` gets the second runs. */
export async function debezium(installed: ConnectInstallation, path: Path, warm: Told[]): Promise<Told> {
  const first = freshPrefix(),
    { events } = path.phase;
  let connect: ConnectWorker | null = null;
  /** Into a topic of its own, over a copy of the slot of its own. */
  const fill = async (prefix: string, open: (slot: string) => Promise<ConnectWorker>): Promise<Told> => {
    await using topic = await WatchedTopic.create(topicOf(prefix), path.broker);
    const { walsender } = await withCopy(path.client, path.phase, async (slot) => {
      topic.begin(connect?.pid ?? null);
      const opened = await open(slot);
      await topic.filled(events, { pid: opened.pid, failure: () => opened.failure(prefix) });
      await opened.remove(prefix);
    });
    return await told(topic, walsender);
  };
  try {
    const cold = await fill(first, async (slot) => {
      connect = await ConnectWorker.start(installed, worker(path), connector(path, slot, first), JVM);
      return connect;
    });
    const second = freshPrefix(),
      running = connect as unknown as ConnectWorker;
    warm.push(
      await fill(second, async (slot) => {
        await running.add(connector(path, slot, second));
        return running;
      }),
    );
    return cold;
  } finally {
    await (connect as ConnectWorker | null)?.[Symbol.asyncDispose]();
  }
}
