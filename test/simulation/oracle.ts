// What must hold (invariants 1 to 7 of docs/architecture.md). The oracle sees everything: fakes and stores tell it each
// effect, and it looks once more after the drain. It never throws into the engine: the first violation is kept.

import type { DeadLetter } from '../../src/engine/api.ts';
import type { LaneMove } from '../../src/engine/move-points.ts';
import type { ChangeEvent, LaneBatch, PartitionPositions, Position, ResumePoint, RunSummary } from '../../src/sdk/index.ts';
import type { LogRecord } from '../../src/sdk/testing/fakes/log.ts';
import type { QueueMessage } from '../../src/sdk/testing/fakes/queue-source.ts';
import type { StateChange } from '../../src/state/store.ts';
import type { Audited } from './audited.ts';
import { expectedMessage, expectedOf } from './expected.ts';
import { justified } from './justified.ts';
import { LaneAudit } from './lane-audit.ts';
import { LogAudit, type LoggedEvent } from './log-audit.ts';
import { MoveAudit } from './move-audit.ts';
import { kindOf } from './transformers.ts';
import { PIPELINE, type World } from './world.ts';

export type { LoggedEvent };

export class Oracle {
  readonly events = new Map<string, Audited>();
  /** Where the stream of each partition begins. */
  readonly slots = new Map<string, Position>();
  readonly lanes = new Map<string, LaneAudit>();
  readonly stats = new Map<string, number>();
  readonly log = new LogAudit((e) => this.idOf(e));
  readonly moves: MoveAudit;
  /** Inputs that could not be decoded and are parked. */
  readonly #rejected = new Set<string>();
  /** Where the window transformer's state is saved. */
  transformerAt: ResumePoint | null = null;
  #transformerWas: ResumePoint | null = null;
  #violation: string | null = null;
  /** The state was lost: with it which keys are parked. */
  forgetful = false;
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
    this.moves = new MoveAudit(this, world);
  }

  get violation(): string | null {
    return this.#violation;
  }
  fail(rule: string, detail: string): void {
    this.#world.trace(`VIOLATION ${rule}: ${detail}`);
    this.#violation ??= `${rule}: ${detail}`;
  }
  note(what: string): void {
    this.stats.set(what, (this.stats.get(what) ?? 0) + 1);
  }

  lane(name: string): LaneAudit {
    let lane = this.lanes.get(name);
    if (lane === undefined) {
      lane = new LaneAudit(name, this, this.#world);
      this.lanes.set(name, lane);
    }
    return lane;
  }

  // ---- what happens upstream ---------------------------------------------------------------------------------------------

  committed(partition: string, r: LogRecord): void {
    for (const event of expectedOf(this.#world.shape, partition, r)) this.events.set(event.id, event);
  }

  published(m: QueueMessage): void {
    const event = expectedMessage(m);
    this.events.set(event.id, event);
  }

  /** What lies before is in the snapshot, not in the stream. */
  slotCreated(partition: string, at: Position): void {
    this.slots.set(partition, at);
    for (const e of this.events.values()) if (e.partition === partition && e.position <= at) this.events.delete(e.id);
  }

  idOf(e: ChangeEvent): string {
    return kindOf(e.table.id.table) === 'q' ? `queue#${Number(e.key?.['id'])}` : e.id;
  }

  // ---- effects -----------------------------------------------------------------------------------------------------------

  parked(letter: DeadLetter): void {
    this.note('dead letter');
    if (letter.event === null) {
      this.#rejected.add(String(letter.input));
      return;
    }
    const id = this.idOf(letter.event);
    if (letter.lane !== null) this.lane(letter.lane).park(letter.event);
    else for (const lane of this.#world.lanes) this.lane(lane.name).parked.add(id).add(`${id}.1`);
  }

  moveOf(lane: string): LaneMove | null {
    return this.moves.of(lane);
  }
  takesEffect(lane: string): boolean {
    return this.moves.takesEffect(lane);
  }
  seqOf(id: string): number | null {
    return this.log.seqOf(id);
  }
  logged(log: string, from: number, to: number): LoggedEvent[] {
    return this.log.between(log, from, to);
  }
  /** Id of the process that is at work. */
  get running(): number {
    return this.#world.running;
  }
  writing(lane: string, batch: LaneBatch): void {
    this.lane(lane).writing(batch);
  }

  saved(change: StateChange): void {
    if (change.transformer !== undefined) this.transformerAt = change.transformer.point;
    for (const [name, state] of Object.entries(change.lanes ?? {})) if (state !== null) this.lane(name).saved(state);
    this.moves.saved(change);
  }

  stateLost(): void {
    this.forgetful = true;
    this.moves.stateLost();
    this.#transformerWas = this.transformerAt;
    this.transformerAt = null;
    for (const lane of this.lanes.values()) lane.stateLost();
  }

  /** The old state is back: the lanes have joined where it says. */
  stateRestored(): void {
    this.transformerAt = this.#transformerWas;
    this.moves.stateRestored();
    for (const lane of this.lanes.values()) lane.stateRestored();
  }

  /** Invariant 1: upstream may forget only what is safe. */
  acknowledging(upTo: PartitionPositions): void {
    const before = this.#world.log.acknowledged();
    if (this.#world.tracing) this.#world.trace(`  acknowledged up to ${JSON.stringify(upTo)}`);
    for (const e of this.events.values()) {
      const limit = e.partition === null ? undefined : upTo[e.partition];
      if (limit === undefined || e.position > limit || e.position <= (before[e.partition ?? ''] ?? '')) continue;
      const why = this.unsafe(e);
      if (why !== null) this.fail('acknowledged before durable', `${e.id} (${why}), acknowledged up to ${limit}`);
    }
  }
  acknowledgingMessage(m: QueueMessage): void {
    const e = this.events.get(`queue#${m.id}`),
      why = e === undefined ? null : this.unsafe(e);
    if (why !== null) this.fail('acknowledged before durable', `message ${m.id} (${why})`);
  }

  /** Why upstream must still have this event; `null` when it may forget it. */
  unsafe(e: Audited): string | null {
    if (e.fate === 'filtered' || this.log.isLogged(e.id)) return null;
    if (e.fate === 'rejected') return this.isRejected(e) ? null : 'neither decoded nor parked';
    if (e.fate === 'held') {
      const at = this.transformerAt?.sources['log']?.[e.partition ?? ''];
      return (at !== undefined && at >= e.position) || this.isHeldParked(e) || this.#isSkipped(e)
        ? null
        : 'held by a transformer whose state is not saved';
    }
    const lacking = this.#world.lanes.filter((l) => l.required && this.lane(l.name).settled(e) === null);
    return lacking.length === 0 ? null : `not at ${lacking.map((l) => l.name).join(', ')}`;
  }
  isHeldParked(e: Audited): boolean {
    return this.#world.lanes.some((l) => this.lane(l.name).parked.has(e.id));
  }
  isRejected(e: Audited): boolean {
    return this.#rejected.has(e.input ?? '') || this.#isSkipped(e);
  }
  /** An operator has moved all lanes behind it: nobody was to read it. */
  #isSkipped(e: Audited): boolean {
    return this.#world.lanes.every((l) => !l.required || this.lane(l.name).inGap(e));
  }

  /** Invariant 5: the log holds no more than it may; one batch per source may be on top. */
  checkMemory(held: number): void {
    const { shape } = this.#world;
    if (shape.disk) return; // its history is on the disk
    const limit = shape.logEvents + shape.sourceBatch * 2 * (shape.queue ? 2 : 1) + (shape.snapshot ? shape.preloaded : 0);
    if (held > limit) this.fail('memory', `the log holds ${held} events, allowed are ${limit}`);
  }

  // ---- the end of a process ------------------------------------------------------------------------------------------------

  /** A stop needs a cause: each error is justified by a fault that happened. */
  ended(proc: { readonly id: number; readonly owner: string }, run: RunSummary): void {
    const { error } = run,
      world = this.#world;
    if (error === null) return;
    this.note(error.code);
    const lane = /destination "(\w+)"/.exec(error.where ?? '')?.[1] ?? '';
    // A zombie may see anything; what it then does is judged by its effects.
    if (world.leases.wasReplaced(proc.owner) && error.code !== 'INTERNAL_UNEXPECTED') return;
    if (!justified(world, proc.owner, lane, error.code))
      this.fail(
        'needless stop',
        `process ${proc.id}: ${error.code} ${error.message} (${error.where ?? 'nowhere'})${error.code === 'INTERNAL_UNEXPECTED' ? `\n${String((error.cause as Error | undefined)?.stack ?? error.stack)}` : ''}`,
      );
  }

  /** Invariant 7: after a drain nothing that was delivered is repeated at the next start. */
  async stoppedCleanly(process: number): Promise<void> {
    const state = await this.#world.state.load(PIPELINE);
    for (const { name, store } of this.#world.lanes) {
      // Of one that is away not even the place can be written.
      if (store.faults.down) continue;
      const lane = this.lane(name),
        [point] = state.lanes[name]?.points ?? [];
      if (point === undefined || state.lanes[name]?.detached) continue;
      for (const [id, by] of lane.appliedBy) {
        if (by !== process) continue;
        const e = this.events.get(id),
          at = point.sources['log']?.[e?.partition ?? ''];
        if (e === undefined || e.partition === null || !this.#world.log.partitions.has(e.partition)) continue;
        if (at === undefined || at < e.position)
          this.fail('checkpoint missing after a stop', `${id} is at ${name}, its saved point is ${at ?? 'the beginning'}`);
      }
    }
  }

  // ---- after the drain -------------------------------------------------------------------------------------------------------

  /** What still has to arrive somewhere; empty when the drain is over. */
  missing(): string[] {
    const missing: string[] = [];
    for (const e of this.events.values()) {
      if (e.fate === 'rejected' && !this.isRejected(e)) missing.push(`${e.id} at the dead letter queue`);
      if (e.fate !== 'sent') continue;
      for (const lane of this.#world.lanes) {
        if (lane.store.faults.down) continue;
        if (this.lane(lane.name).settled(e) === null) missing.push(`${e.id} (${e.op} ${e.keys.join(' → ')}) at ${lane.name}`);
      }
    }
    return missing;
  }

  final(): void {
    const [lost] = this.missing();
    if (lost !== undefined) this.fail('lost', lost);
    this.moves.final();
    for (const { name, store } of this.#world.lanes) if (!store.faults.down) this.lane(name).final();
  }
}
