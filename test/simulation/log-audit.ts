// What the oracle knows of the log on disk: which event has which number, and what is synced.

import type { DurableLog, LogBatch } from '../../src/log/change-log.ts';
import type { ChangeEvent } from '../../src/sdk/index.ts';

export interface LoggedEvent {
  readonly id: string;
  readonly seq: number;
  readonly event: ChangeEvent;
}

interface Logged {
  readonly log: string;
  readonly endSeq: number;
  readonly events: readonly LoggedEvent[];
  isSynced: boolean;
}

export class LogAudit {
  readonly #idOf: (e: ChangeEvent) => string;
  #logged: Logged[] = [];
  #open: DurableLog | null = null;
  /** `null`: it is in the log more than once. */
  readonly #seqs = new Map<string, number | null>();

  constructor(idOf: (e: ChangeEvent) => string) {
    this.#idOf = idOf;
  }

  /** A log, with what it has from before. */
  opened(log: DurableLog): void {
    this.#open = log;
    this.#logged = this.#logged.filter((r) => r.log === log.id && r.endSeq <= log.lastSeq);
    this.#seqs.clear();
    for (const r of this.#logged) this.#number(r);
    this.synced(log.id, log.lastSeq);
  }
  appended(log: string, { firstSeq, endSeq, events }: LogBatch): void {
    const numbered = events.map((event, i) => ({ id: this.#idOf(event), seq: firstSeq + i, event }));
    const logged = { log, endSeq, events: numbered, isSynced: false };
    this.#logged.push(logged);
    this.#number(logged);
  }
  synced(log: string, seq: number): void {
    for (const r of this.#logged) if (r.log === log && r.endSeq <= seq) r.isSynced = true;
  }

  #number({ events }: Logged): void {
    for (const { id, seq } of events) this.#seqs.set(id, this.#seqs.has(id) ? null : seq);
  }

  /** Of the log that was open last. */
  get id(): string {
    return this.#open?.id ?? '';
  }
  get firstSeq(): number {
    return this.#open?.firstSeq ?? 1;
  }
  get lastSeq(): number {
    return this.#open?.lastSeq ?? 0;
  }

  isLogged(id: string): boolean {
    return this.#logged.some((r) => r.isSynced && r.events.some((e) => e.id === id));
  }
  seqOf(id: string): number | null {
    return this.#seqs.get(id) ?? null;
  }
  /** Of this log, as far as it is still held. */
  between(log: string, from: number, to: number): LoggedEvent[] {
    const first = Math.max(from, this.#open?.firstSeq ?? 0);
    return this.#logged.flatMap((r) => (r.log === log ? r.events.filter(({ seq }) => seq >= first && seq <= to) : []));
  }
}
