// An outbox in PostgreSQL: what applications add in their transactions, and delete at once, becomes messages of the topics that the
// rows name. kcat reads them, or our own consumer where there is none.

import { describe, expect, it } from 'vitest';
import { KafkaPlace, kafkaServers } from '../helpers/kafka.ts';
import { hasKcat, kcat } from '../helpers/kafka-tools.ts';
import { createDatabase, skipReason, type TestDatabase } from '../helpers/postgres.ts';
import { dropSlots } from '../helpers/postgres-slots.ts';
import { Workspace } from './process.ts';

const noPostgres = (await skipReason()) !== null;
const [server] = await kafkaServers();

const TABLES = `
  CREATE TABLE orders (id bigint PRIMARY KEY, total numeric(10,2));
  CREATE TABLE outbox (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), aggregatetype text NOT NULL, aggregateid text NOT NULL, type text, payload jsonb);`;
const place = (id: number, total: string): string => `INSERT INTO orders VALUES (${id}, ${total});
  INSERT INTO outbox (aggregatetype, aggregateid, type, payload) VALUES ('order', '${id}', 'placed', '{"id": ${id}, "total": ${total}, "big": 12345678901234567890}');`;
const tell = (kind: string, id: number, type: string, payload: string): string =>
  `INSERT INTO outbox (aggregatetype, aggregateid, type, payload) VALUES ('${kind}', '${id}', '${type}', ${payload});`;

const pipeline = (source: TestDatabase, { name, brokers }: KafkaPlace): string => `name: ${name}
source: {type: postgresql, url: "${source.url}", slot_name: ${source.name}, publication: ${source.name}, tables: [public.outbox]}
plugins:
  transformers:
    - type: outbox
      params:
        tables: [public.outbox]
        topic: ${name}.{value}
        empty_payload: tombstone
        fields: [{column: type, to: header, name: eventType}]
destination: {type: kafka, bootstrap_servers: "${brokers}", envelope: row, key_format: text, transactional_id: ${name}}
error_handling: {dead_letter_queue: {type: file, path: dead.ndjson}}
`;

/** `key|headers|value` of the committed records of a topic, per key in their order. */
async function messages(from: KafkaPlace, topic: string): Promise<string[]> {
  const lines = hasKcat
    ? await kcat(from.brokers, topic, '%k|%h|%s\\n')
    : (await from.read(topic)).map(({ key, headers, value }) => {
        const texts = Object.entries(headers).map(([name, text]) => `${name}=${text}`);
        return `${key}|${texts.join()}|${value === null ? '' : String(value)}`;
      });
  return lines.map((line) => line.replace(/id=[0-9a-f-]{36}/, 'id=…')).sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
}

describe.skipIf(noPostgres || server === undefined)('an outbox in PostgreSQL', () => {
  it('becomes messages of the topics that its rows name, each once, over two runs', async () => {
    await using kafka = await KafkaPlace.open(server as 'kafka');
    await using source = await createDatabase();
    using work = new Workspace();
    work.write('outbox.yaml', pipeline(source, kafka));
    const run = () => work.run(['run', 'outbox.yaml', '--until-caught-up']);
    try {
      await source.query(TABLES + place(1, '10.50'));
      expect(await run()).toMatchObject({ code: 0 });
      for (const transaction of [
        // Nothing stays in the table: the log is enough.
        `${place(2, '7.00')} DELETE FROM outbox WHERE aggregateid = '2'; COMMIT`,
        `${place(3, '1.00')} ROLLBACK`,
        `${tell('order', 1, 'paid', `'{"id": 1}'`)} ${tell('customer', 1, 'greeted', `'{"text": "hällo"}'`)} COMMIT`,
        `${tell('order', 2, 'gone', 'NULL')} COMMIT`,
        `UPDATE outbox SET type = 'changed' WHERE aggregatetype = 'customer'; COMMIT`,
        'TRUNCATE outbox; COMMIT',
      ])
        await source.query(`BEGIN; ${transaction}`);
      expect(await run()).toMatchObject({ code: 0, out: expect.stringContaining('4 delivered') });
      expect(work.lines('dead.ndjson').map((letter) => JSON.parse(letter) as unknown)).toMatchObject([
        { component: 'outbox', code: 'PLUGIN_FAILED', message: expect.stringContaining('was updated') },
      ]);
      expect(await messages(kafka, `${kafka.name}.order`)).toEqual([
        '1|id=…,eventType=placed|{"id":1,"big":12345678901234567890,"total":10.5}',
        '1|id=…,eventType=paid|{"id":1}',
        '2|id=…,eventType=placed|{"id":2,"big":12345678901234567890,"total":7}',
        '2|id=…,eventType=gone|',
      ]);
      expect(await messages(kafka, `${kafka.name}.customer`)).toEqual(['1|id=…,eventType=greeted|{"text":"hällo"}']);
    } finally {
      await dropSlots(source);
    }
  });
});
