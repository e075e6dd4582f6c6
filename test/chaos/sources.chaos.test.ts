// Databases as sources, under load of several writers: the pipeline, who sends it the log, and the whole server are killed at random
// moments, in the snapshot and behind it. MySQL is MariaDB unless `CDC_CHAOS_MYSQL=mysql` says otherwise.

import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import { mysqlServers } from '../helpers/mysql.ts';
import { skipReason as noPostgres } from '../helpers/postgres.ts';
import type { AuditedTable } from './audit.ts';
import { type Line, linesOf } from './evidence.ts';
import { createMysqlShop, expectMysqlShopDelivered, MYSQL_SHOP, sinceNow as mysqlNow } from './mysql-shop.ts';
import { findMysql, OwnMysql } from './own-mysql.ts';
import { findPostgres, OwnPostgres } from './own-postgres.ts';
import { createPostgresShop, expectPostgresShopDelivered, POSTGRES_SHOP, sinceNow as postgresNow } from './postgres-shop.ts';
import { mysqlReplica, postgresReplica, type Replica, sqliteReplica } from './replicas.ts';
import { TABLES } from './shop.ts';
import { chaosFolder, killsOf, SEED, TIMEOUT_MS, Victim, Writer } from './victim.ts';

const MYSQL = process.env['CDC_CHAOS_MYSQL'] ?? 'mariadb';
const postgres = (await noPostgres()) === null ? await findPostgres() : null;
const mysql = (await mysqlServers()).includes('mariadb') ? await findMysql(MYSQL) : null;
const ROWS = 4000;

/** A server with the shop, which may be killed. */
interface Shop {
  readonly server: Pick<OwnPostgres, 'url' | 'killAll' | 'start'> & AsyncDisposable;
  /** In a server of the same system that is not killed. */
  readonly replica: Replica;
  /** Kills another than the whole server. `false`: there was none. */
  kill(whom: string): Promise<boolean>;
  /** Returns what is asked at the end, of what was changed from now on. */
  behindSnapshot(): Promise<(lines: readonly Line[], replicas: readonly Replica[]) => Promise<void>>;
}

interface Kind {
  readonly system: string;
  readonly tables: readonly AuditedTable[];
  readonly victims: readonly string[];
  readonly trade: 'postgres-trade' | 'mysql-trade';
  /** Keys of the source. */
  readonly yaml: string;
  readonly salt: number;
  /** `null`: there are no programs. */
  readonly open: (() => Promise<Shop>) | null;
}

async function postgresShop(): Promise<Shop> {
  const server = await OwnPostgres.start(postgres as NonNullable<typeof postgres>);
  await createPostgresShop(server, ROWS);
  return {
    server,
    replica: await postgresReplica(POSTGRES_SHOP),
    kill: (whom) => (whom === 'terminated' ? server.terminate('walsender') : server.killBackend('walsender')),
    behindSnapshot: async () => {
      const since = await postgresNow(server);
      expect(since.rev).toBeGreaterThan(0);
      return (lines, replicas) => expectPostgresShopDelivered(server, lines, replicas, since);
    },
  };
}

async function mysqlShop(): Promise<Shop> {
  const server = await OwnMysql.start(mysql as NonNullable<typeof mysql>);
  await createMysqlShop(server, ROWS);
  return {
    server,
    replica: await mysqlReplica(MYSQL_SHOP),
    kill: (whom) => server.killThread(whom as 'dump' | 'client'),
    behindSnapshot: async () => {
      const since = await mysqlNow(server);
      expect(since.rev).toBeGreaterThan(0);
      return (lines, replicas) => expectMysqlShopDelivered(server, lines, replicas, since);
    },
  };
}

const KINDS: readonly Kind[] = [
  {
    system: 'postgresql',
    tables: POSTGRES_SHOP,
    victims: ['terminated', 'walsender', 'server'],
    trade: 'postgres-trade',
    yaml: 'status_interval: 200ms',
    salt: 8,
    open: postgres === null ? null : postgresShop,
  },
  {
    system: 'mysql',
    tables: MYSQL_SHOP,
    victims: ['dump', 'client', 'dump', 'server'],
    trade: 'mysql-trade',
    yaml: 'binlog_row_image: MINIMAL\n  heartbeat_interval: 500ms',
    salt: 10,
    open: mysql === null ? null : mysqlShop,
  },
];

const LOGS = [
  { log: 'memory', sections: '', kills: { snapshot: 4, behind: 5 } },
  { log: 'disk', sections: 'log: {type: disk}\n', kills: { snapshot: 2, behind: 3 } },
] as const;

const VARIANTS = KINDS.flatMap((kind) => LOGS.map((log, i) => ({ ...kind, ...log, salt: kind.salt + i })));

describe.each(VARIANTS)(
  '$system → sqlite, file and $system (log in $log)',
  ({ system, tables, victims, trade, yaml, salt, open, sections, kills }) => {
    it.skipIf(open === null)('loses nothing and repeats nothing, whoever is killed', { timeout: TIMEOUT_MS }, async () => {
      const work = chaosFolder(),
        shop = await (open as NonNullable<typeof open>)();
      await using server = shop.server;
      await using replica = shop.replica;
      await using sqlite = await sqliteReplica(work, tables);
      const replicas = [sqlite, replica];
      work.write(
        'chaos.yaml',
        `
name: chaos
source:
  type: ${system}
  url: "\${CHAOS_SOURCE}"
  tables: [customers, orders]
  snapshot: {chunk_rows: 20, workers: 2}
  ${yaml}
destinations:
  - {name: files, type: file, path: out/changes.ndjson, envelope: plain, rotate: {size: 2MiB}}
${replicas.map((r) => r.yaml()).join('')}
sync: {mode: continuous, batch_size: 100, checkpoint_interval: 100ms}
error_handling: {retry: {initial_delay: 20ms, max_delay: 200ms}, dead_letter_queue: {type: file, path: dead.ndjson}}
${sections}`,
      );
      const victim = new Victim(work, ['chaos.yaml'], 'out/changes.ndjson', salt, { ...replica.env, CHAOS_SOURCE: server.url });
      let turn = salt;
      const killed: Record<string, number> = {};
      const note = (whom: string): void => {
        killed[whom] = (killed[whom] ?? 0) + 1;
      };
      using writer = await Writer.start(trade, server.url);

      /** One run: others are killed while it lives, and it outlives them; then itself. */
      const round = async (withinMs: number, awaited?: () => Promise<void>): Promise<void> => {
        const { dice } = victim,
          run = victim.start();
        await victim.moment(run, dice.chance(1 / 4) ? 'start' : 'flow', withinMs);
        await awaited?.();
        for (let n = 1 + dice.int(2); n > 0; n--) {
          const whom = victims[turn++ % victims.length] as string;
          if (whom === 'server') {
            server.killAll();
            await sleep(dice.next() * 200);
            if (dice.chance(1 / 3)) run.child.kill('SIGKILL');
            await server.start();
            note(whom);
          } else if (await shop.kill(whom)) note(whom);
          await sleep(dice.next() * withinMs);
        }
        run.child.kill('SIGKILL');
        const { signal, err } = await run.ended;
        expect(signal, `seed ${SEED}: it outlives its source: ${err.slice(-3000)}`).toBe('SIGKILL');
        note('pipeline');
      };

      const rowsRead = (): number => linesOf(work).filter(({ op }) => op === 'r').length;
      /** Few rows may be left to read, and those are told by the stream. */
      const isEmptied = (): boolean => TABLES.every((name) => linesOf(work).some(({ op, table }) => op === 't' && table === name));
      let within = 0;
      for (let n = killsOf(kills.snapshot); n > 0; n--) {
        const before = rowsRead(),
          hasMore = (): boolean => rowsRead() > before || rowsRead() >= ROWS * TABLES.length || isEmptied();
        // Changes that piled up come before rows: half of the kills wait for some.
        await round(300, n % 2 === 1 ? () => eventually(hasMore, `seed ${SEED}: rows are read`, 180_000) : undefined);
        const rows = rowsRead();
        if (rows > 0 && rows < ROWS * TABLES.length * 0.9) within++;
      }
      expect(within, `seed ${SEED}: kills within the snapshot`).toBeGreaterThan(0);
      await victim.finish('--until-caught-up');
      const expectDelivered = await shop.behindSnapshot();
      writer.hurry();
      for (let n = killsOf(kills.behind); n > 0; n--) await round(500);
      const written = await writer.stop();
      await victim.finish('--until-caught-up');
      const nothingNew = await victim.finish('--until-caught-up', '--json');
      console.log(`${victim.describe()}; killed ${JSON.stringify(killed)}, ${within} times within the snapshot; ${written}`);
      expect(JSON.parse(nothingNew.out)).toMatchObject({ outcome: 'done', eventsRead: 0 });
      expect(existsSync(work.path('dead.ndjson'))).toBe(false);
      await expectDelivered(linesOf(work), replicas);
    });
  },
);
