// Names of the components of one kind.

/** Names in the order of the file; a component without one is called by its type, the next of the type `…-2`. */
export class Names {
  readonly #given: readonly (string | null)[];
  readonly #taken: Set<string>;

  constructor(given: readonly unknown[]) {
    this.#given = given.map((name) => (typeof name === 'string' ? name : null));
    this.#taken = new Set(this.#given.filter((name) => name !== null));
  }

  of(index: number, type: string): string {
    const given = this.#given[index];
    if (given !== null && given !== undefined) return given;
    let name = type;
    for (let n = 2; this.#taken.has(name); n++) name = `${type}-${n}`;
    this.#taken.add(name);
    return name;
  }

  isRepeated(index: number): boolean {
    const given = this.#given[index];
    return given !== null && given !== undefined && this.#given.indexOf(given) < index;
  }
}
