// The tables that are captured and the publication that sends them: made and extended at the start, and looked at since, because
// the stream says nothing of a table that is taken out. What is missing of a table is never passed over in silence.
//
// | step | a crash behind it |
// |---|---|
// | the publication is extended | the next start finds the same break in what it knows |
// | stored: as it is now, and which tables are read anew behind the end of the log | the next start goes on with those |
// | their rows are taken away at destinations, and asked for again | both happen once more |
// | the place of that is acknowledged | the table is as any other |

import { CdcError, type PluginStore, type Position, type SnapshotProgress, type SourceContext } from '../../sdk/index.ts';
import type { SnapshotOrders } from '../../snapshot/orders.ts';
import { type PostgresqlSourceConfig, tablePatterns } from './config.ts';
import { publicationLost } from './errors.ts';
import { changesMissing, type Missing, missingOf, verdictOn, WORDS } from './missing-changes.ts';
import { tableFilter } from './names.ts';
import { confirmable, positionAfter } from './position.ts';
import type { Queries } from './queries.ts';
import { attachedSince, detachedSince } from './replication/partitions.ts';
import { applyPublication, type PublicationPlan, planPublication, readPublication } from './replication/publication.ts';
import { lookAtPublished, type Published, type PublishedAs } from './replication/published.ts';
import { type Sends, sentBy } from './sent-columns.ts';
import type { Server } from './server.ts';
import { Catalog, type CatalogTable } from './system-catalog.ts';
import type { TableName } from './tables.ts';

export interface Publication {
  readonly tables: readonly CatalogTable[];
  /** Which columns of a table the server sends. */
  readonly sends: Sends;
  /** The database has no encoding (SQL_ASCII): texts may be anything, and come as they are. */
  readonly isRaw: boolean;
  /** The publication is another one than before: nothing can be gone on with. */
  readonly lost: CdcError | null;
  readonly published: Published;
  /** Of these something is missing. */
  readonly anew: readonly string[];
}

interface Stored extends Published {
  readonly format: 1;
  /** Of the publication. */
  readonly name: string;
  /** To be read anew once the stream is there. */
  readonly anew: Readonly<Record<string, Position>>;
  /** Orders that there were when a start was refused because of the table: only a newer one is an answer. */
  readonly refused: Readonly<Record<string, readonly string[]>>;
}

const KEY = 'published';

export class Publishing {
  readonly #server: Server;
  readonly #config: PostgresqlSourceConfig;
  readonly #ctx: SourceContext;
  readonly #orders: () => Promise<SnapshotOrders>;
  readonly #isCaptured: (schema: string, table: string) => boolean;
  readonly #isRead: (schema: string, table: string) => boolean;
  #known: Stored | null = null;
  /** Where destinations are told that the rows of before are gone. */
  readonly #truncated = new Map<string, Position>();
  readonly #gone = new Set<string>();

  constructor(server: Server, config: PostgresqlSourceConfig, ctx: SourceContext, orders: () => Promise<SnapshotOrders>) {
    this.#server = server;
    this.#config = config;
    this.#ctx = ctx;
    this.#orders = orders;
    this.#isCaptured = tableFilter(tablePatterns(config));
    this.#isRead = tableFilter(config.snapshot.tables);
  }

  /** The tables, and a publication that has them. `progress`: of their snapshots; `null`: capture begins. Throws `CdcError`. */
  open(progress: readonly SnapshotProgress[] | null, signal: AbortSignal): Promise<Publication> {
    return this.#server.use(signal, async (session) => {
      const tables = await new Catalog(session).tables(this.#isCaptured);
      if (tables.length === 0) throw this.#noTables();
      const before = await this.#look(session, tables),
        known = progress === null ? null : this.#comparable(await load(this.#ctx.store), before),
        plan = await this.#plan(session, tables);
      const lost = known === null || known.publication === before.publication ? null : this.#lost(before);
      if (lost !== null && this.#config.snapshot_mode !== 'when_needed') throw lost;
      const anew = known === null || lost !== null ? [] : await this.#judge(missingOf(known, before, progress ?? []), known, plan);
      const [problem] = plan.problems;
      if (problem !== undefined) throw this.#misconfigured(`${problem.message[0]?.toUpperCase()}${problem.message.slice(1)}.`, problem.fix);
      await applyPublication(session, plan);
      const published = await this.#look(session, tables);
      if (known !== null && lost === null) await this.#lookAtPartitions(session, known, published);
      const { rows } = await session.query('SELECT getdatabaseencoding() AS encoding');
      return {
        tables,
        sends: await sentBy(session, this.#name, tables),
        isRaw: rows[0]?.['encoding'] === 'SQL_ASCII',
        lost,
        published,
        anew,
      };
    });
  }

  /** From here on breaks are counted. With `isNew` nothing is left of before: call it once what was lost cannot be taken up any more. */
  async save({ published, anew }: Pick<Publication, 'published' | 'anew'>, isNew: boolean, signal: AbortSignal): Promise<void> {
    const known = isNew ? null : await load(this.#ctx.store);
    // A table that is gone for now may come again: as another one.
    const absent = Object.entries(known?.tables ?? {}).filter(([, t]) => this.#isCaptured(t.schema, t.table));
    const pending = Object.entries(known?.anew ?? {}).filter(([name]) => published.tables[name] !== undefined);
    const at = anew.length === 0 ? null : positionAfter(await this.#server.end(signal));
    const fresh = anew.map((name): [string, Position] => [name, at as Position]);
    this.#truncated.clear();
    await this.#store({
      format: 1,
      name: this.#name,
      publication: published.publication,
      row: published.row,
      tables: { ...Object.fromEntries(absent), ...published.tables },
      anew: Object.fromEntries([...pending, ...fresh]),
      refused: {},
    });
  }

  /** Has a table left since the start? Then reading must begin again: the error says so, and the start decides. Throws the driver's. */
  async look(): Promise<CdcError | null> {
    const known = this.#known;
    if (known === null) return null;
    const names = Object.keys(known.tables);
    return this.#server.use(null, async (session) => {
      const now = await this.#look(
        session,
        names.map((name) => known.tables[name] as TableName),
      );
      // Another reading has begun meanwhile, which has looked itself.
      if (this.#known !== known) return null;
      if (now.publication !== known.publication) return this.#lost(now, true);
      this.#tellGone(names.filter((name) => now.tables[name] === undefined));
      await this.#lookAtPartitions(session, known, now);
      const missing = missingOf(known, now, []);
      if (missing.length === 0) return null;
      const tables = await new Catalog(session).tables(this.#isCaptured);
      return this.#missing(missing, sqlOf(await this.#plan(session, tables)), true);
    });
  }

  /** Tables to be read anew: each once the stream is at its place. */
  get anew(): ReadonlyMap<string, bigint> {
    return new Map(Object.entries(this.#known?.anew ?? {}).map(([name, place]) => [name, confirmable(place)]));
  }

  /** Destinations that have this place have no rows of before, and its rows are asked for. */
  isEmptied(table: string, place: Position): void {
    this.#truncated.set(table, place);
  }

  async acknowledged(upTo: Position): Promise<void> {
    const done = [...this.#truncated].filter(([, place]) => place <= upTo).map(([name]) => name),
      known = this.#known;
    if (known === null || done.length === 0) return;
    for (const name of done) this.#truncated.delete(name);
    await this.#store({ ...known, anew: Object.fromEntries(Object.entries(known.anew).filter(([name]) => !done.includes(name))) });
  }

  /** With another publication in the configuration nothing is known of what it sent before. */
  #comparable(known: Stored | null, { publication }: Published): Stored | null {
    if (known === null || known.name === this.#name || known.publication === publication) return known;
    const tables = Object.entries(known.tables).map(([name, as]) => [name, { ...as, memberships: [] }] as const);
    return { ...known, publication, row: null, tables: Object.fromEntries(tables) };
  }

  get #name(): string {
    return this.#server.publication.name;
  }

  /** In memory first: what comes meanwhile builds on it. If it cannot be stored, the next start does more than it must. */
  async #store(stored: Stored): Promise<void> {
    this.#known = stored;
    await this.#ctx.store.set(KEY, Buffer.from(JSON.stringify(stored)));
  }

  #look(queries: Queries, tables: readonly TableName[]): Promise<Published> {
    return lookAtPublished(queries, this.#name, tables, this.#config.on_truncate === 'emit');
  }

  async #plan(queries: Queries, tables: readonly CatalogTable[]): Promise<PublicationPlan> {
    const { publication, pipeline } = this.#server;
    const wanted = tables.map((t) => ({ schema: t.schema, table: t.table, isPartitioned: t.kind === 'p' }));
    const request = { ...publication, pipeline, tables: wanted, truncate: this.#config.on_truncate === 'emit' };
    return planPublication(await readPublication(queries, this.#name), request);
  }

  /** Rows that came with a partition are read; those that went with one are told of. Once: what is there now is stored behind that. */
  async #lookAtPartitions(queries: Queries, known: Stored, now: Published): Promise<void> {
    const { logger } = this.#ctx,
      attached = await attachedSince(queries, known, now),
      detached = detachedSince(known, now);
    for (const { table, root, partition, id, condition } of attached) {
      if (this.#isSnapshotted(root.schema, root.table)) {
        await (await this.#orders()).add({ id: `attached-${id}`, action: 'begin', tables: [table], where: condition });
        logger.info('a partition was attached with rows in it, of which the log has nothing: they are read', { table, partition });
      } else logger.warn('a partition was attached with rows in it, of which the log has nothing', { table, partition });
    }
    for (const { table, count } of detached)
      logger.warn('partitions were detached or dropped: the log has nothing of it, and their rows stay at destinations', { table, count });
    if (this.#known !== known) return; // before the first save, or another reading has begun
    const isOther = Object.entries(now.tables).some(([name, as]) => `${as.partitions}` !== `${known.tables[name]?.partitions}`);
    if (isOther) await this.#store({ ...known, tables: { ...known.tables, ...withPartitions(known, now) } });
  }

  /** Are the rows of the table read? */
  #isSnapshotted(schema: string, table: string): boolean {
    return this.#config.snapshot_mode !== 'never' && this.#isRead(schema, table);
  }

  // -- what is missing ---------------------------------------------------------------------------------------------------

  /** The tables to be read anew. Throws where nobody has said what becomes of one. */
  async #judge(missing: readonly Missing[], known: Stored, plan: PublicationPlan): Promise<string[]> {
    if (missing.length === 0) return [];
    const orders = await this.#orders(),
      anew: string[] = [],
      refused: Missing[] = [];
    for (const m of missing) {
      const isWanted = this.#isSnapshotted(m.schema, m.name),
        before = known.refused[m.table],
        order = before === undefined ? undefined : orders.of(m.table).findLast(({ id }) => !before.includes(id));
      const verdict = verdictOn(m.why, isWanted, this.#config.snapshot_mode, order?.action ?? null);
      this.#ctx.logger.warn(`a table is not what it was: ${WORDS[m.why]}`, { table: m.table, verdict });
      if (verdict === 'read anew') anew.push(m.table);
      if (verdict === 'refuse') refused.push(m);
    }
    if (refused.length === 0) return anew;
    const asked = refused.map(({ table }): [string, string[]] => [
      table,
      known.refused[table]?.slice() ?? orders.of(table).map((o) => o.id),
    ]);
    await this.#ctx.store.set(KEY, Buffer.from(JSON.stringify({ ...known, refused: Object.fromEntries(asked) } satisfies Stored)));
    throw this.#missing(refused, sqlOf({ ...plan, statements: [] }), false);
  }

  #missing(missing: readonly Missing[], sql: string, retriable: boolean): CdcError {
    const { pipeline, place } = this.#server;
    return changesMissing(missing, { sql, retriable, pipeline, publication: this.#name, where: place.where });
  }

  #lost({ publication }: Published, retriable = false): CdcError {
    return publicationLost(
      this.#name,
      publication === null ? 'it was dropped' : 'it was dropped and made anew',
      this.#server.place.where,
      retriable,
    );
  }

  #tellGone(names: readonly string[]): void {
    for (const table of names) {
      if (this.#gone.has(table)) continue;
      this.#gone.add(table);
      this.#ctx.logger.warn('a captured table was dropped: nothing more comes of it', { table });
    }
  }

  #noTables(): CdcError {
    const patterns = tablePatterns(this.#config);
    return this.#misconfigured(
      `No table matches ${patterns.map((p) => `"${p}"`).join(', ')}.`,
      'Correct `tables`, or create the tables first.',
    );
  }

  #misconfigured(message: string, fix: string): CdcError {
    return new CdcError('SOURCE_MISCONFIGURED', message, { where: this.#server.place.where, fix });
  }
}

function sqlOf({ statements, problems }: PublicationPlan): string {
  const parts = [...(statements.length === 0 ? [] : [`Run: ${statements.join('; ')};`]), ...problems.map((p) => p.fix)];
  return parts.map((part) => `${part} `).join('');
}

/** The tables as they are known, with their partitions of now. */
function withPartitions(known: Published, now: Published): Published['tables'] {
  const found = Object.entries(known.tables).map(([name, as]): [string, PublishedAs] => {
    const partitions = now.tables[name]?.partitions;
    return [name, partitions === undefined ? as : { ...as, partitions }];
  });
  return Object.fromEntries(found);
}

async function load(store: PluginStore): Promise<Stored | null> {
  const bytes = await store.get(KEY);
  return bytes === null ? null : (JSON.parse(Buffer.from(bytes).toString()) as Stored);
}
