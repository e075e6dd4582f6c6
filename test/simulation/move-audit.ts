// What must hold when an operator moves points (`offsets set`, `rollback`): once the intent is stored the move happens, whole, as
// announced, under a new epoch, whatever crashes in between. An optional destination that is away is left out and detached.

import type { LaneMove } from '../../src/engine/move-points.ts';
import { formatPoint } from '../../src/sdk/index.ts';
import { HoldingStore } from '../../src/sdk/testing/fakes/holding-destination.ts';
import type { LaneState, StateChange } from '../../src/state/store.ts';
import { placeText, pointText } from './audited.ts';
import type { Oracle } from './oracle.ts';
import type { World } from './world.ts';

interface Pending {
  readonly moves: ReadonlyMap<string, LaneMove>;
  readonly epoch: number;
  readonly effective: Set<string>;
}

export class MoveAudit {
  readonly #oracle: Oracle;
  readonly #world: World;
  #announced: readonly LaneMove[] = [];
  /** Process/lane: its destination did not answer that process, or refused. */
  readonly #failed = new Set<string>();
  #pending: Pending | null = null;
  #epoch = 0;
  /** Of the state that was lost. */
  #epochWas = 0;

  constructor(oracle: Oracle, world: World) {
    this.#oracle = oracle;
    this.#world = world;
  }

  get isPending(): boolean {
    return this.#pending !== null;
  }
  of(lane: string): LaneMove | null {
    return this.#pending?.moves.get(lane) ?? null;
  }
  /** Once per move. */
  takesEffect(lane: string): boolean {
    const { effective } = this.#pending as Pending;
    return effective.size < effective.add(lane).size;
  }

  /** Epochs begin anew, but for those that destinations hold. */
  stateLost(): void {
    this.#epochWas = this.#epoch;
    this.#epoch = 0;
  }
  stateRestored(): void {
    this.#epoch = this.#epochWas;
  }

  failed(process: number, lane: string): void {
    this.#failed.add(`${process}/${lane}`);
  }

  /** What the operator is shown. */
  announce(moves: readonly LaneMove[]): void {
    this.#announced = moves;
  }
  /** From here on the operator relies on it. */
  begun(): void {
    this.#pending = { moves: new Map(this.#announced.map((m) => [m.lane, m])), epoch: this.#epoch, effective: new Set() };
    this.#oracle.note('offsets: intent stored');
  }

  /** Called after the lanes were told. */
  saved({ epoch, intent, lanes }: StateChange): void {
    this.#epoch = Math.max(this.#epoch, epoch ?? 0);
    if (intent !== undefined && intent !== null) this.begun();
    if (intent !== null || this.#pending === null) return;
    const { moves, epoch: before } = this.#pending;
    this.#pending = null;
    this.#oracle.note('offsets: move done');
    for (const [name, { to }] of moves) {
      const at = lanes?.[name]?.joinedAt;
      if (at === undefined && this.#oracle.lane(name).isEmpty) {
        this.#oracle.note('offsets: not moved, for it was emptied');
        continue;
      }
      if (at === undefined || placeText(at) !== placeText({ ...to, log: null }) || at.epoch <= before) {
        this.#oracle.fail(
          'move half done',
          `${name} stands at ${at === undefined ? 'its old place' : formatPoint(at)}, not at ${formatPoint(to)}`,
        );
        continue;
      }
      if (lanes?.[name]?.detached) {
        this.#leftOut(name, lanes[name]);
        continue;
      }
      const { store } = this.#world.lanes.find((l) => l.name === name) as { store: unknown };
      if (!(store instanceof HoldingStore)) continue;
      const [held] = [...store.lanes.values()];
      if (held?.epoch !== at.epoch || held.points?.length !== 1 || placeText(held.points[0] as typeof at) !== placeText(at))
        this.#oracle.fail('move half done', `the destination of ${name} has ${JSON.stringify(held)}, state ${formatPoint(at)}`);
    }
  }

  /** Only by a start, which must not wait for it; its gap begins where it was to go on. */
  #leftOut(name: string, { detached, joinedAt }: LaneState): void {
    const { running, lanes, processes } = this.#world,
      isOptional = lanes.some((l) => l.name === name && !l.required && l.store instanceof HoldingStore),
      isStart = processes.some((p) => p.id === running && p.command === null);
    this.#oracle.note('offsets: not moved, for it was away');
    if (!isOptional || !isStart || !this.#failed.has(`${running}/${name}`))
      this.#oracle.fail('move half done', `${name} was left out: ${detached?.reason}`);
    if (detached === null || pointText(detached.from) !== pointText(joinedAt))
      this.#oracle.fail('move half done', `the gap of ${name} does not begin at ${formatPoint(joinedAt)}`);
  }

  final(): void {
    if (this.#pending !== null)
      this.#oracle.fail('move half done', `${[...this.#pending.moves.keys()].join(', ')}: nothing has finished it`);
  }
}
