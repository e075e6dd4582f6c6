// What processes may believe of the lease: until when they have it, as far as they have heard, and who has had it since.

export class LeaseAudit {
  readonly #now: () => number;
  /** Owner → until when. */
  readonly #until = new Map<string, number>();
  /** Owner → the lease before the last renewal: of that one it may not have heard yet. */
  readonly #heard = new Map<string, number>();
  readonly #ranOut = new Set<string>();
  readonly #replaced = new Set<string>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** The clocks were set. */
  look(): void {
    for (const owner of this.#until.keys()) if (this.ranOut(owner)) this.#ranOut.add(owner);
  }

  /** The store has granted or extended a lease. */
  granted(owner: string, untilMs: number): void {
    const before = this.#until.get(owner);
    // As the process knew it, its lease may have run out before the renewal.
    if (before !== undefined && (before <= this.#now() || this.ranOut(owner))) this.#ranOut.add(owner);
    this.#heard.set(owner, before ?? untilMs);
    this.#until.set(owner, untilMs);
    for (const other of this.#until.keys()) if (other !== owner) this.#replaced.add(other);
  }

  /** Another process has had the lease since: a zombie. */
  wasReplaced(owner: string): boolean {
    return this.#replaced.has(owner);
  }
  /** Its lease ran out before it heard of the renewal: it may stop itself although nobody has taken over. */
  ranOut(owner: string): boolean {
    return this.#ranOut.has(owner) || this.#now() >= (this.#heard.get(owner) ?? 0);
  }
}
