// `npm run test:third-party`: what we write to Kafka, applied to PostgreSQL by Debezium's JDBC sink in Kafka Connect, in JSON with
// schemas and in Avro by a registry. Compares each copy with its source row by row. Needs Maven, and `npm run services up`.

import { setTimeout as sleep } from 'node:timers/promises';
import { type ConnectInstallation, connectInstall } from '../../scripts/services/connect-install.ts';
import { reachableFolder } from '../../scripts/services/home.ts';
import { serviceUrl } from '../../scripts/services/service-url.ts';
import { Workspace } from '../e2e/process.ts';
import { KafkaPlace } from '../helpers/kafka.ts';
import { createDatabase, type TestDatabase } from '../helpers/postgres.ts';
import { dropSlots } from '../helpers/postgres-slots.ts';
import { ConnectWorker, type Properties } from './connect.ts';
import { CONTENTS, TABLES, TRADE } from './shop.ts';

/** How long the sink may take for what it has in its topics. */
const PATIENCE_MS = 120_000;
const FORMATS = ['json', 'avro'] as const;
type Format = (typeof FORMATS)[number];

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

function publishing(source: TestDatabase, place: KafkaPlace, format: Format, registry: string): string {
  const avro = `  message_format: avro\n  schema_registry_url: ${registry}\n`;
  return `name: ${place.name}
source: {type: postgresql, url: "${source.url}", slot_name: ${source.name}, publication: ${source.name}}
destination:
  type: kafka
  bootstrap_servers: ${place.brokers}
  envelope: {type: debezium, compatible: true, topic_prefix: ${place.name}${format === 'json' ? ', schemas: true' : ''}}
${format === 'avro' ? avro : ''}`;
}

function worker(place: KafkaPlace, format: Format, registry: string): Properties {
  const converters =
    format === 'json'
      ? { '': 'org.apache.kafka.connect.json.JsonConverter', '.schemas.enable': 'true' }
      : {
          '': 'io.apicurio.registry.utils.converter.AvroConverter',
          '.apicurio.registry.url': new URL('/apis/registry/v2', registry).href,
          '.apicurio.registry.as-confluent': 'true',
          '.apicurio.registry.use-id': 'contentId',
        };
  const both = ['key', 'value'].flatMap((side) => Object.entries(converters).map(([name, value]) => [`${side}.converter${name}`, value]));
  return {
    'bootstrap.servers': place.brokers,
    'consumer.isolation.level': 'read_committed',
    // The sink stops at headers that look like JSON: a change of key has the other key in one.
    'header.converter': 'org.apache.kafka.connect.storage.StringConverter',
    ...Object.fromEntries(both),
  };
}

/** The sink makes the tables by the schemas of the records. */
function sink(replica: TestDatabase, place: KafkaPlace): Properties & { readonly name: string } {
  const url = new URL(replica.url);
  return {
    name: place.name,
    'connector.class': 'io.debezium.connector.jdbc.JdbcSinkConnector',
    'topics.regex': `${place.name}\\.public\\..*`,
    'connection.url': `jdbc:postgresql://${url.host}${url.pathname}`,
    'connection.username': decodeURIComponent(url.username),
    'connection.password': decodeURIComponent(url.password),
    'insert.mode': 'upsert',
    'delete.enabled': 'true',
    'primary.key.mode': 'record_key',
    'schema.evolution': 'basic',
    transforms: 'table',
    'transforms.table.type': 'org.apache.kafka.connect.transforms.RegexRouter',
    'transforms.table.regex': '.*\\.(\\w+)',
    'transforms.table.replacement': '$1',
  };
}

async function rowsOf(db: TestDatabase, content: string): Promise<Map<string, string>> {
  const rows = await db.query<{ key: string; row: string }>(content);
  return new Map(rows.map(({ key, row }) => [key, row]));
}

/** Of the copy as far as it has come: a table or its newest column may not be there yet. */
async function copiedRows(db: TestDatabase, content: string): Promise<Map<string, string>> {
  try {
    return await rowsOf(db, content);
  } catch (error) {
    if (!['42P01', '42703'].includes((error as { code?: string }).code ?? '')) throw error;
    return new Map();
  }
}

/** Keys whose rows are not the same. */
async function differing(source: TestDatabase, replica: TestDatabase, content: string): Promise<{ rows: number; keys: string[] }> {
  const theirs = await copiedRows(replica, content),
    ours = await rowsOf(source, content);
  const keys = [...new Set([...ours.keys(), ...theirs.keys()])].filter((key) => ours.get(key) !== theirs.get(key));
  return { rows: ours.size, keys };
}

async function compare(source: TestDatabase, replica: TestDatabase, isUp: () => Promise<string | null>): Promise<boolean> {
  let failure: string | null = null;
  for (const [table, content] of Object.entries(CONTENTS)) {
    let found = await differing(source, replica, content);
    for (const until = Date.now() + PATIENCE_MS; found.keys.length > 0 && failure === null && Date.now() < until; await sleep(500)) {
      failure = await isUp();
      found = await differing(source, replica, content);
    }
    const { rows, keys } = found;
    say(`  ${table}: ${rows} rows, ${keys.length === 0 ? 'all equal' : `${keys.length} differ`}`);
    for (const key of keys.slice(0, 3)) {
      say(`    source ${key}: ${(await rowsOf(source, content)).get(key) ?? 'has none'}`);
      say(`    sink   ${key}: ${(await copiedRows(replica, content)).get(key) ?? 'has none'}`);
    }
    if (keys.length > 0 || failure !== null) return fail(failure);
  }
  return true;
}

function fail(reason: string | null): false {
  if (reason !== null) say(`  the sink has failed: ${reason}`);
  return false;
}

async function check(installed: ConnectInstallation, format: Format, registry: string): Promise<boolean> {
  await using place = new KafkaPlace((await serviceUrl('kafka')) ?? '');
  await place.admin.connect();
  await using source = await createDatabase();
  await using replica = await createDatabase();
  using work = new Workspace();
  work.write('publish.yaml', publishing(source, place, format, registry));
  const publish = async (): Promise<void> => {
    const { code, err } = await work.start(['run', 'publish.yaml', '--until-caught-up']).ended;
    if (code !== 0) throw new Error(`the pipeline ended with ${code}: ${err}`);
  };
  try {
    await source.query(TABLES);
    await publish();
    await using connect = await ConnectWorker.start(installed, worker(place, format, registry), sink(replica, place));
    for (const statements of TRADE) {
      for (const statement of statements) await source.query(statement);
      await publish();
    }
    const isEqual = await compare(source, replica, () => connect.failure(place.name));
    if (!isEqual) say(connect.said());
    return isEqual;
  } finally {
    await dropSlots(source);
  }
}

async function main(): Promise<boolean> {
  const registry = await serviceUrl('schema-registry');
  if ((await serviceUrl('postgres')) === null || (await serviceUrl('kafka')) === null || registry === null)
    throw new Error('this needs servers: run `npm run services up postgres kafka schema-registry`');
  const installed = await connectInstall(reachableFolder(false), say);
  if (installed === null) throw new Error('this needs Maven and Java');
  say(installed.versions);
  let isGood = true;
  for (const format of FORMATS) {
    say(`PostgreSQL → Kafka (${format}) → PostgreSQL`);
    isGood = (await check(installed, format, registry)) && isGood;
  }
  return isGood;
}

process.exitCode = (await main()) ? 0 : 1;
