// One seeded schedule: random steps of database, stream, snapshot, lanes and crashes; then a drain; then the invariants:
// each destination equals the source · no key goes back · no incomplete row · no incomplete event without its row once the table
// is done · every snapshot ends on an idle server.

import { oldestPlace, snapshotBoundaries, withoutForkedRuns } from '../../../src/engine/places.ts';
import { type SnapshotProgress, sortablePositions } from '../../../src/sdk/index.ts';
import { parseNotes } from '../../../src/snapshot/progress.ts';
import { diceOf } from '../random.ts';
import type { Bug } from './bugs.ts';
import { COLUMNS, Database, pick } from './database.ts';
import { Lane, numberOf, PARTITION, placeOf, SOURCE, type StoredPoint } from './lane.ts';
import { Process, show } from './process.ts';

const GAPS = [12, 40, 100]; // ticks between "can be streamed" and "visible", at most
const DRAIN_STEPS = 6_000;
const TABLES = ['A', 'B'];
const CODECS = { [SOURCE]: sortablePositions('record') };

export interface Violation {
  readonly seed: number;
  readonly problem: string;
}
export interface ScheduleOptions {
  readonly bug?: Bug;
  readonly say?: (text: string) => void;
  readonly counts?: Counts;
}
/** What schedules had in them. */
export interface Counts {
  [what: string]: number;
}

export function runSchedule(seed: number, { bug = null, say = () => {}, counts = {} }: ScheduleOptions = {}): Violation | null {
  const world = new World(seed, bug, say, counts);
  try {
    world.run();
  } catch (error) {
    world.problem ??= error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  return world.problem === null ? null : { seed, problem: world.problem };
}

class World {
  readonly #dice;
  readonly #bug: Bug;
  readonly #say: (text: string) => void;
  readonly #counts: Counts;
  readonly #db: Database;
  readonly #steps: number;
  readonly #crashes: number;
  #slow: number;
  readonly #identities: { readonly [table: string]: 'k' | 'e' };
  #lanes: Lane[] = [];
  #process: Process;
  /** Tables that somebody asked for and that not all lanes have heard of, with the runs they had then. */
  readonly #wanted = new Map<string, ReadonlySet<string>>();
  #announcements = 0;
  readonly #filesRead = new Map<string, number>();
  problem: string | null = null;

  constructor(seed: number, bug: Bug, say: (text: string) => void, counts: Counts) {
    const dice = diceOf(seed);
    this.#dice = dice;
    this.#bug = bug;
    this.#say = (text) => say(`${this.#db.now} ${text}`);
    this.#counts = counts;
    this.#identities = { A: 'k', B: dice.chance(0.5) ? 'e' : 'k' };
    this.#steps = dice.pick([60, 90, 180]);
    this.#db = new Database(dice, {
      identities: this.#identities,
      image: dice.pick(['toast', 'toast', 'full']),
      gap: dice.pick(GAPS),
      keys: dice.pick([3, 5, 5, 12]),
      asyncCommit: dice.pick([0, 0.3]),
    });
    this.#crashes = dice.pick([0, 0.01, 0.02, 0.05]);
    this.#slow = dice.pick([0, 0, 0.7, 0.95]);
    const loaded = dice.chance(0.15);
    for (let i = dice.pick([1, 1, 2, 2, 3]); i > 0; i--) this.#join(loaded ? this.#long() : { place: 0, snapshots: [] });
    if (loaded) for (const lane of this.#lanes) this.#load(lane);
    this.#process = this.#start();
  }

  /** The snapshot is long past. */
  #long(): StoredPoint {
    const done = { source: SOURCE, run: '0.0', chunk: 1, lastKey: null, state: 'done', rows: 1, notes: '{"file":"1","end":true}' } as const;
    return { place: 0, snapshots: TABLES.map((table) => ({ ...done, table })) };
  }
  #load(lane: Lane): void {
    for (const { name, identity, rows } of Object.values(this.#db.tables)) {
      for (const row of rows.values()) lane.table(name).set(String(row[identity]), pick(row, COLUMNS));
    }
  }
  #join(at: StoredPoint): void {
    const name = `lane${this.#lanes.length}.${this.#db.now}`;
    this.#lanes.push(new Lane(name, this.#dice.chance(0.5), this.#identities, at, this.#bug));
  }

  /** As the engine plans it: from the oldest place, with the ends of chunks that lanes have. */
  #start(): Process {
    const places = this.#lanes.map((lane) => placeOf(lane.stored)),
      oldest = oldestPlace(CODECS, places),
      place = numberOf(oldest.sources[SOURCE]?.[PARTITION]);
    const resume = withoutForkedRuns(oldest.snapshots, places),
      boundaries = withoutForkedRuns(snapshotBoundaries(places), places);
    if (resume.length < oldest.snapshots.length) this.#count('forked runs dropped');
    const ahead = boundaries.filter((b) => resume.some((r) => r.table === b.table && r.run === b.run && b.chunk > r.chunk));
    if (ahead.length > 0) this.#count('starts with a boundary');
    this.#say(`START at ${place} with ${resume.map(show).join(' ')} boundaries ${ahead.map(show).join(' ')}`);
    for (const lane of this.#lanes) lane.restart(place);
    const process = new Process({
      db: this.#db,
      dice: this.#dice,
      bug: this.#bug,
      place,
      resume,
      boundaries,
      tables: TABLES,
      say: this.#say,
      filesRead: this.#filesRead,
      announcement: () => ++this.#announcements,
    });
    for (const [table, before] of this.#wanted) {
      const isAnswer = (progress: SnapshotProgress | undefined): boolean => isRequested(progress, before),
        all = this.#lanes.every((lane) => isAnswer(lane.progressOf(table))),
        goesOn = resume.find((r) => r.table === table);
      // Whoever asked does so again, unless the source goes on with it by itself.
      if (!all && !(goesOn?.state === 'running' && isAnswer(goesOn))) process.engine.request([table]);
    }
    return process;
  }

  run(): void {
    const weights: [name: keyof World['actions'], weight: number][] = [
      ['write', 5],
      ['commit', 5],
      ['flush', 3],
      ['show', 3],
      ['stream', 5],
      ['job', 6],
      ['work', 9],
      ['due', 4],
      ['deliver', 12],
      ['save', this.#dice.pick([0.5, 2])],
      ['again', 1],
    ];
    const bag = weights.flatMap(([name, weight]) => new Array<keyof World['actions']>(weight * 2).fill(name));
    for (let i = 0; i < this.#steps && this.#isFine(); i++) {
      this.#db.tick();
      if (this.#dice.chance(this.#crashes)) this.#crash();
      else this.actions[this.#dice.pick(bag)]();
    }
    this.#drain(bag.filter((name) => name !== 'write' && name !== 'again'));
    if (this.#isFine()) for (const lane of this.#lanes) for (const table of Object.values(this.#db.tables)) lane.compare(table);
    this.#isFine();
  }

  /** Running transactions end, nothing new is written, no crash. The server is idle. */
  #drain(bag: readonly (keyof World['actions'])[]): void {
    this.#slow = 0;
    for (let i = 0; this.#isFine(); i++) {
      this.#db.tick();
      if (this.#isFinished()) {
        // A rewrite that changed values after the table's snapshot: somebody asks for the table again.
        const stale = TABLES.filter((name) =>
          this.#lanes.some((lane) => isStale(lane.progressOf(name), this.#db.table(name).lastRewrite, this.#filesRead)),
        );
        if (stale.length === 0) return;
        this.#process.engine.request(stale);
      }
      if (i > DRAIN_STEPS) {
        this.problem ??= `never ends: ${JSON.stringify({ tables: this.#process.engine.status(), jobs: this.#process.works.map((w) => w.job) })}`;
        return;
      }
      this.actions[this.#dice.pick(bag)]();
    }
  }

  #isFinished(): boolean {
    const { engine, log, streamed } = this.#process;
    return (
      this.#db.open.length === 0 &&
      this.#db.hidden.length === 0 &&
      streamed === this.#db.log.length &&
      engine.isDone &&
      this.#lanes.every((lane) => lane.isAtEnd(log))
    );
  }

  #isFine(): boolean {
    this.problem ??= this.#lanes.find((lane) => lane.problem !== null)?.problem ?? null;
    return this.problem === null;
  }
  #count(what: string): void {
    this.#counts[what] = (this.#counts[what] ?? 0) + 1;
  }

  readonly actions = {
    write: (): void => {
      if (this.#db.open.length < 3) this.#db.write();
    },
    commit: (): void => {
      if (this.#db.open.length === 0) return;
      const tx = this.#dice.pick(this.#db.open);
      if (this.#dice.chance(0.1)) this.#db.abort(tx);
      else {
        this.#db.commit(tx);
        const events = tx.events.map((e) => `${e.op} ${e.table} ${e.oldKey}→${e.key}${e.isComplete ? '' : ' incomplete'}`);
        this.#say(`commit x${tx.xid} as T${tx.index}: ${events.join('; ') || tx.ops[0]?.kind}`);
      }
    },
    flush: (): void => this.#db.flush(),
    show: (): void => {
      const list = this.#db.showable();
      if (list.length === 0) return;
      const tx = this.#dice.pick(list);
      this.#db.show(tx);
      this.#say(`visible T${tx.index}`);
    },
    stream: (): void => void this.#process.stream(),
    job: (): void => void this.#process.startJob(),
    work: (): void => void this.#process.work(),
    due: (): void => {
      if (this.#process.due()) this.#count('outputs');
    },
    deliver: (): void => {
      // Some are slower than others.
      const lane = this.#dice.chance(this.#slow) ? (this.#lanes[0] as Lane) : this.#dice.pick(this.#lanes);
      lane.deliver(this.#process.log);
    },
    save: (): void => {
      const lane = this.#dice.pick(this.#lanes);
      if (lane.save(this.#process.log)) this.#say(`${lane.name} saved ${lane.stored.place} ${lane.stored.snapshots.map(show).join(' ')}`);
      this.#heard();
    },
    /** An operator asks for a table again because destinations lost rows. */
    again: (): void => {
      const name = this.#dice.pick(TABLES),
        isQuiet = this.#process.streamed === this.#db.flushed && this.#lanes.every((lane) => lane.isAtEnd(this.#process.log));
      if (!isQuiet || this.#lanes.some((lane) => lane.progressOf(name)?.state !== 'done') || this.#process.engine.records(name)) return;
      for (const lane of this.#lanes) for (const key of [...lane.table(name).keys()]) if (this.#dice.chance(0.5)) lane.lose(name, key);
      this.#wanted.set(name, new Set(this.#lanes.map((lane) => lane.progressOf(name)?.run ?? '')));
      this.#process.engine.request([name]);
      this.#count('requests');
      this.#say(`AGAIN ${name}`);
    },
  };

  #heard(): void {
    for (const [table, before] of this.#wanted) {
      if (this.#lanes.every((lane) => isRequested(lane.progressOf(table), before))) this.#wanted.delete(table);
    }
  }

  #crash(): void {
    this.#process.kill();
    this.#count('crashes');
    if (this.#lanes.length > 1 && this.#dice.chance(0.1)) {
      const [gone] = this.#lanes.splice(this.#dice.int(this.#lanes.length), 1);
      this.#say(`${gone?.name} is gone`);
    } else if (this.#lanes.length < 3 && this.#dice.chance(0.1)) {
      // A new destination joins where the source can still read from.
      const place = Math.min(...this.#lanes.map((lane) => lane.stored.place));
      this.#join({ place, snapshots: [] });
    }
    this.#say('CRASH');
    this.#process = this.#start();
  }
}

/** In a run that somebody asked for, after those `before`. */
const isRequested = (progress: SnapshotProgress | undefined, before: ReadonlySet<string>): boolean =>
  progress !== undefined && !before.has(progress.run) && parseNotes(progress).requested === true;

function isStale(progress: SnapshotProgress | undefined, lastRewrite: number, filesRead: ReadonlyMap<string, number>): boolean {
  return progress === undefined || (filesRead.get(progress.run) ?? Number(parseNotes(progress).file ?? 0)) < lastRewrite;
}
