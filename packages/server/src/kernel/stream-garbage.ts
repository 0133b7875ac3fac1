import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Collects the young objects of the heap, and with them the memory outside of it that they hold. */
export type CollectYoung = () => void;

/** A collection takes a millisecond or two: so many bytes of dead buffers are worth it. */
const bytesBetween = 16 * 1024 * 1024;

/**
 * Whatever streams through leaves a dead buffer of 64 KiB a read. V8 weighs them as the small objects they are to its
 * heap and lets 64 MiB of them pile up; counting what passed and collecting in time keeps that to a quarter.
 */
export class StreamGarbage {
  readonly #collect: CollectYoung;
  #bytes = 0;

  constructor(collect = collectYoung()) {
    this.#collect = collect;
  }

  /** So many bytes passed. Hot path: an addition and a comparison. */
  passed(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < bytesBetween) return;
    this.#bytes = 0;
    this.#collect();
  }
}

/**
 * Node gives the collector out to contexts that are made while the flag is set, and has no other door to it. The flag is
 * the process's and stays: another thread may be making its context just now.
 */
function collectYoung(): CollectYoung {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  return typeof collect === "function" ? () => void collect({ type: "minor" }) : () => {};
}
