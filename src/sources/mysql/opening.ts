// From a stored position, or none, to a stream that goes on there: is this the server, does it still have the log, has anything been
// forgotten. Never a silent gap: what cannot be served is an error with choices.

import { CdcError, type Position, type SourceContext } from '../../sdk/index.ts';
import { assertAllAreRead } from '../../streaming/lost-history.ts';
import type { CatalogTable } from './catalog.ts';
import { type MysqlSourceConfig, tablePatterns } from './config.ts';
import { startOf } from './config-binlog.ts';
import { type DoneSet, doneSet } from './done-set.ts';
import { type DumpStart, openDump } from './dump/open.ts';
import type { BinlogStream } from './dump/stream.ts';
import { diverged, notLogged, positionGone } from './errors.ts';
import { MariadbGtidPosition, MysqlGtidSet } from './gtid-set.ts';
import { LogIdentity } from './log-identity.ts';
import { tableFilter } from './names.ts';
import { ANY_HISTORY, FIRST_HISTORY, fileName, type LogPlace, parseFileName, parsePlace, placeAfter } from './position.ts';
import { loadHistory, type SchemaHistory } from './schema-history.ts';
import { nameOfTable } from './schemas.ts';
import type { Server } from './server.ts';
import { type LogFile, logFiles, type ServerFacts, unloggedOf, variables } from './server-facts.ts';
import { type ReplicaIdentity, replicaIdentity } from './server-number.ts';

/**
 * Events that may wait while the pipeline is busy; beyond it the server waits. Little: what outlives two small collections of V8 is given
 * back by its large ones only, so that with 16 MB here some 50 MB more were resident.
 */
const MAX_WAITING_BYTES = 1 << 20;
const FIRST_POSITION = 4;

export interface Opening {
  readonly stream: BinlogStream;
  /** Everything before it is done. */
  readonly from: Position;
  /** No position was stored, or what was stored is lost and everything is read anew. */
  readonly isNew: boolean;
  /** What is to be read anew, because changes of it were lost. */
  readonly isAnew: boolean;
  readonly done: DoneSet;
  readonly identity: LogIdentity;
  readonly history: SchemaHistory;
  readonly tables: readonly CatalogTable[];
  readonly facts: ServerFacts;
}

interface Begin {
  readonly from: Position;
  readonly identity: LogIdentity;
}

export class Opener {
  readonly #server: Server;
  readonly #config: MysqlSourceConfig;
  readonly #ctx: SourceContext;

  constructor(server: Server, config: MysqlSourceConfig, ctx: SourceContext) {
    this.#server = server;
    this.#config = config;
    this.#ctx = ctx;
  }

  async open(stored: Position | null, signal: AbortSignal): Promise<Opening> {
    const facts = await this.#server.freshFacts(signal);
    this.#checkServer(facts);
    const tables = await this.#tables();
    await this.#checkLogged(tables, facts);
    const lost = stored === null ? null : await this.#lossOf(stored, facts, signal);
    if (lost !== null) {
      if (this.#config.snapshot_mode !== 'when_needed') throw lost;
      const isRead = tableFilter(this.#config.snapshot.tables, this.#server.home);
      assertAllAreRead(lost, tables.filter((t) => !isRead(t.database, t.table)).map(nameOfTable), this.#server.place.where);
      this.#ctx.logger.warn('the log of the source is lost: everything is read again', { reason: lost.message });
    }
    const isNew = stored === null || lost !== null,
      history = await loadHistory(this.#ctx.store);
    if (lost !== null) history.clear();
    const begin = isNew ? await this.#begin(facts, lost !== null, signal) : await this.#continue(stored, facts);
    const place = parsePlace(begin.from) as LogPlace,
      replica = await replicaIdentity(this.#config, this.#ctx);
    const usesGtids = this.#usesGtids(facts, place),
      done = doneSet(facts.flavor, place.done);
    const stream = await this.#stream(startAt(place, facts, usesGtids), facts, replica, signal);
    return { stream, ...begin, isNew, isAnew: lost !== null, done, history, tables, facts };
  }

  async #tables(): Promise<CatalogTable[]> {
    const patterns = tablePatterns(this.#config),
      { catalog, home, place } = this.#server;
    const tables = await catalog.tables(tableFilter(patterns, home));
    if (tables.length === 0)
      throw new CdcError('SOURCE_MISCONFIGURED', `No table matches ${patterns.map((p) => `"${p}"`).join(', ')}.`, {
        where: place.where,
        fix: 'Correct `tables` and `database`, create the tables first, or grant SELECT on them.',
      });
    return tables;
  }

  async #checkLogged(tables: readonly CatalogTable[], facts: ServerFacts): Promise<void> {
    const databases = tables.map((t) => t.database),
      [database] = await unloggedOf(this.#server, facts, databases);
    if (database !== undefined) throw notLogged(database, this.#server.place.where);
  }

  #checkServer({ hasBinlog, format }: ServerFacts): void {
    const { where } = this.#server.place;
    if (!hasBinlog)
      throw new CdcError('SOURCE_MISCONFIGURED', 'The server writes no binary log.', { where, fix: 'Start the server with log_bin.' });
    if (format !== 'ROW')
      throw new CdcError('SOURCE_MISCONFIGURED', `binlog_format of the server is ${format}: the log does not say which rows change.`, {
        where,
        fix: "Run: SET GLOBAL binlog_format = 'ROW'; and let sessions connect anew.",
      });
  }

  /** A place has the ids of what was done before it, unless somebody wrote it as file and place. */
  #usesGtids(facts: ServerFacts, place: LogPlace): boolean {
    return this.#config.use_gtid !== false && facts.hasGtids && place.done !== null;
  }

  // -- where capture begins ------------------------------------------------------------------------------------------------

  async #begin(facts: ServerFacts, isAnew: boolean, signal: AbortSignal): Promise<Begin> {
    const { place } = this.#server,
      { store } = this.#ctx,
      end = await this.#server.end(signal);
    const name = end === null ? null : parseFileName(end.file);
    if (end === null || name === null)
      throw new CdcError('SOURCE_MISCONFIGURED', 'The server does not say where its binary log ends.', {
        where: place.where,
        fix: 'Grant REPLICATION CLIENT to the user, and start the server with log_bin.',
      });
    const known = await LogIdentity.load(store, place.where);
    const identity = known ?? LogIdentity.create(store, place.where, facts.identity, name.base);
    if (known !== null && (isAnew || !known.isOf(facts.identity, name.base))) await known.renew(facts.identity, name.base);
    else await identity.save();
    const wanted = startOf(this.#config);
    // What was lost is not there any more, whatever the configuration says.
    if (wanted === null || isAnew) {
      return { from: placeAfter(identity.history, name, end.position, end.gtids), identity };
    }
    if ('gtids' in wanted) {
      const [first] = await this.#server.use(signal, logFiles);
      const file = parseFileName(first?.name ?? '') ?? name;
      return { from: placeAfter(identity.history, file, FIRST_POSITION, wanted.gtids), identity };
    }
    const file = parseFileName(wanted.file) ?? name;
    return { from: placeAfter(identity.history, file, wanted.position, await this.#gtidsAt(facts, wanted)), identity };
  }

  /** MariaDB knows which transactions are before a place; MySQL does not. */
  async #gtidsAt({ flavor }: ServerFacts, { file, position }: { file: string; position: number }): Promise<string | null> {
    if (flavor === 'mysql') return null;
    const [row] = await this.#server.query('SELECT BINLOG_GTID_POS(?, ?) AS gtids', [file, position]);
    return row?.['gtids'] ?? null;
  }

  // -- going on ------------------------------------------------------------------------------------------------------------

  async #continue(from: Position, facts: ServerFacts): Promise<Begin> {
    const { where } = this.#server.place,
      place = parsePlace(from);
    if (place === null)
      throw new CdcError('SOURCE_MISCONFIGURED', `"${from}" is no place in a binary log.`, {
        where,
        fix: 'Write a file and a place in it, as in mysql-bin.000001:4.',
      });
    const known = await LogIdentity.load(this.#ctx.store, where),
      isWritten = place.history === ANY_HISTORY;
    const here = (history: number): Position => (isWritten ? placeAfter(history, fileOf(place), place.position, place.done) : from);
    if (known === null) {
      const history = isWritten ? FIRST_HISTORY : place.history,
        identity = LogIdentity.create(this.#ctx.store, where, facts.identity, place.base, history);
      await identity.save();
      return { from: here(history), identity };
    }
    const base = await this.#base();
    if (!known.isOf(facts.identity, base)) {
      this.#ctx.logger.warn('another server answers: reading goes on by transaction ids', { server: facts.identity });
      await known.renew(facts.identity, base);
    }
    return { from: here(known.history), identity: known };
  }

  async #base(): Promise<string> {
    return parseFileName((await this.#server.end())?.file ?? '')?.base ?? '';
  }

  /** Why reading cannot go on behind `from`; `null`: as far as can be told before asking for the stream, it can. */
  async #lossOf(from: Position, facts: ServerFacts, signal: AbortSignal): Promise<CdcError | null> {
    const place = parsePlace(from),
      { where } = this.#server.place;
    if (place === null) return null;
    const known = await LogIdentity.load(this.#ctx.store, where),
      files = await this.#server.use(signal, logFiles),
      base = await this.#base();
    if (place.history === ANY_HISTORY) return lostFile(place, files, where);
    const isSame = known === null || (known.isOf(facts.identity, base) && place.history === known.history);
    if (this.#usesGtids(facts, place)) {
      const lost = facts.flavor === 'mysql' ? await this.#lostGtids(place, signal) : await this.#lostDomains(place, signal);
      return lost ?? (isSame && known !== null ? this.#begunAnew(place, files, facts) : null);
    }
    if (!isSame) return diverged(where, `The position is one of another server or another run of its log, and has no transaction ids.`);
    return lostFile(place, files, where);
  }

  async #lostGtids(place: LogPlace, signal: AbortSignal): Promise<CdcError | null> {
    const { where } = this.#server.place;
    const found = await this.#server.use(signal, (s) => variables(s, ['gtid_purged', 'gtid_executed'])),
      done = MysqlGtidSet.parse(place.done ?? '') ?? new MysqlGtidSet(),
      purged = MysqlGtidSet.parse(found.get('gtid_purged') ?? '') ?? new MysqlGtidSet(),
      executed = MysqlGtidSet.parse(found.get('gtid_executed') ?? '') ?? new MysqlGtidSet();
    const missing = purged.minus(done);
    if (!missing.isEmpty) return positionGone(where, `The server no longer has these transactions, which were not read: ${missing}.`);
    const ahead = done.minus(executed);
    if (!ahead.isEmpty) return diverged(where, `The server does not have these transactions, which were read: ${ahead}.`);
    return null;
  }

  /** A domain that the server does not know is accepted silently by it. */
  async #lostDomains(place: LogPlace, signal: AbortSignal): Promise<CdcError | null> {
    const { where } = this.#server.place,
      end = await this.#server.end(signal),
      done = MariadbGtidPosition.parse(place.done ?? '') ?? new MariadbGtidPosition(),
      has = MariadbGtidPosition.parse(end?.gtids ?? '') ?? new MariadbGtidPosition();
    // Where the server cannot tell now, it refuses what it lacks once it is asked for.
    for (const domain of end?.gtids === null ? [] : done.domains()) {
      const ours = done.get(domain),
        theirs = has.get(domain);
      if (ours !== null && (theirs === null || theirs.sequence < ours.sequence))
        return diverged(where, `The server does not have transaction ${ours.domain}-${ours.server}-${ours.sequence}, which was read.`);
    }
    return this.#purgedOf(done, signal);
  }

  /** What was done before the oldest file, and was not read. Of a stream that lacks it, the server speaks only once it was asked for. */
  async #purgedOf(done: MariadbGtidPosition, signal: AbortSignal): Promise<CdcError | null> {
    const [first] = await this.#server.use(signal, logFiles);
    if (first === undefined) return null;
    const [row] = await this.#server.query('SELECT BINLOG_GTID_POS(?, ?) AS gtids', [first.name, FIRST_POSITION]),
      purged = MariadbGtidPosition.parse(row?.['gtids'] ?? '') ?? new MariadbGtidPosition();
    for (const domain of purged.domains()) {
      const theirs = purged.get(domain),
        ours = done.get(domain);
      if (theirs !== null && (ours === null || ours.sequence < theirs.sequence))
        return positionGone(
          this.#server.place.where,
          `The server no longer has all transactions up to ${theirs.domain}-${theirs.server}-${theirs.sequence}, and ${ours === null ? 'none of that domain' : `only those up to ${ours.domain}-${ours.server}-${ours.sequence}`} were read.`,
        );
    }
    return null;
  }

  /**
   * RESET MASTER counts ids from the beginning, and they may have come as far as those that were read: the same server must have the same
   * ids at the same place of its log. A file that is gone has been there: numbers of files are not given twice otherwise.
   */
  async #begunAnew(place: LogPlace, files: readonly LogFile[], { flavor }: ServerFacts): Promise<CdcError | null> {
    const { where } = this.#server.place,
      name = fileName(place.base, place.fileNumber);
    const file = files.find((f) => f.name === name),
      last = parseFileName(files.at(-1)?.name ?? '');
    const anew = diverged(where, `The log began anew: at ${name}:${place.position} it has other transactions than those that were read.`);
    if (file === undefined) return last !== null && last.number < place.fileNumber ? anew : null;
    // What a place at the beginning of a file says, the configuration may have said.
    if (place.position === FIRST_POSITION) return null;
    if (file.size < place.position) return anew;
    if (flavor === 'mariadb') {
      const [row] = await this.#server.query('SELECT BINLOG_GTID_POS(?, ?) AS gtids', [name, place.position]),
        there = MariadbGtidPosition.parse(row?.['gtids'] ?? ''),
        done = MariadbGtidPosition.parse(place.done ?? '');
      return there === null || done === null || there.toString() === done.toString() ? null : anew;
    }
    const done = MysqlGtidSet.parse(place.done ?? '') ?? new MysqlGtidSet(),
      next = files[files.indexOf(file) + 1];
    const before = await this.#gtidsBefore(name),
      after = next === undefined ? null : await this.#gtidsBefore(next.name);
    return (before === null || done.containsSet(before)) && (after === null || after.containsSet(done)) ? null : anew;
  }

  /** What was done before a file of MySQL began, as it says itself; `null`: it does not. */
  async #gtidsBefore(file: string): Promise<MysqlGtidSet | null> {
    const rows = await this.#server.query(`SHOW BINLOG EVENTS IN '${file.replaceAll("'", "''")}' LIMIT 2`),
      found = rows.find((r) => r['Event_type'] === 'Previous_gtids');
    return found === undefined ? null : MysqlGtidSet.parse((found['Info'] ?? '').replaceAll(/\s/g, ''));
  }

  // -- the stream ------------------------------------------------------------------------------------------------------------

  async #stream(start: DumpStart, facts: ServerFacts, replica: ReplicaIdentity, signal: AbortSignal): Promise<BinlogStream> {
    const { clock, pipeline } = this.#ctx;
    try {
      return await openDump(
        this.#server.login,
        facts,
        {
          ...replica,
          name: `cdc-run ${pipeline}`,
          start,
          heartbeatMs: this.#config.heartbeat_interval,
          maxBytes: MAX_WAITING_BYTES,
          clock,
        },
        signal,
      );
    } catch (error) {
      signal.throwIfAborted();
      throw this.#server.error(error);
    }
  }
}

/** How the server is asked for what is behind a place. */
function startAt(place: LogPlace, { flavor }: ServerFacts, usesGtids: boolean): DumpStart {
  if (!usesGtids) return { by: 'address', address: { file: fileName(place.base, place.fileNumber), position: place.position } };
  if (flavor === 'mariadb') return { by: 'mariadb_gtids', position: place.done ?? '' };
  return { by: 'mysql_gtids', set: (MysqlGtidSet.parse(place.done ?? '') ?? new MysqlGtidSet()).encode() };
}

const fileOf = ({ base, fileNumber }: LogPlace): { base: string; number: number } => ({ base, number: fileNumber });

function lostFile(place: LogPlace, files: readonly LogFile[], where: string): CdcError | null {
  const name = fileName(place.base, place.fileNumber),
    file = files.find((f) => f.name === name),
    last = parseFileName(files.at(-1)?.name ?? '');
  if (file === undefined) {
    if (last !== null && last.number < place.fileNumber)
      return diverged(where, `The server's log ends with ${files.at(-1)?.name}, before ${name}, which was read: it began anew.`);
    return positionGone(
      where,
      `The server no longer has ${name}, where reading is to go on; its oldest file is ${files[0]?.name ?? 'none'}.`,
    );
  }
  if (file.size < place.position) return diverged(where, `${name} ends at ${file.size}, and was read up to ${place.position}.`);
  return null;
}
