import { assert } from "../kernel/assert.ts";

/** The node's places for running work. A kind's reserved places stay free for it, the others are shared by all kinds. */
export class Places {
  readonly #placesMax: number;
  readonly #kinds = new Map<string, { readonly reserved: number; taken: number }>();
  #taken = 0;

  constructor(placesMax: number) {
    this.#placesMax = placesMax;
  }

  reserve(kind: string, reserved: number): void {
    assert(!this.#kinds.has(kind), "a kind of work is registered once");
    this.#kinds.set(kind, { reserved, taken: 0 });
    let reservedAll = 0;
    for (const known of this.#kinds.values()) reservedAll += known.reserved;
    assert(reservedAll <= this.#placesMax, "reserved places must fit into the node's places");
  }

  /** Takes a place for `kind`; false when the free ones are all reserved for others. */
  take(kind: string): boolean {
    const own = this.#kinds.get(kind);
    assert(own !== undefined, "places are taken by registered kinds only");
    if (this.#taken + this.#reservedForOthers(kind) >= this.#placesMax) return false;
    own.taken++;
    this.#taken++;
    return true;
  }

  give(kind: string): void {
    const own = this.#kinds.get(kind);
    assert(own !== undefined && own.taken > 0, "a place is given back once, by the kind that took it");
    own.taken--;
    this.#taken--;
  }

  /** Places that are set aside for kinds other than `kind` and not taken yet. */
  #reservedForOthers(kind: string): number {
    let reserved = 0;
    for (const [name, other] of this.#kinds) {
      if (name !== kind) reserved += Math.max(0, other.reserved - other.taken);
    }
    return reserved;
  }
}
