import { describe, expect, it } from "vitest";
import { ManualClock } from "../testing/manual-clock.ts";
import { RowCounts } from "./row-counts.ts";

describe("counts of rows", () => {
  it("are made once for all who ask at the same time", async () => {
    const counts = new RowCounts(new ManualClock());
    const query = new HeldQuery();
    const asked = Array.from({ length: 64 }, () => counts.count("lane", query.run));
    const other = counts.count("another", query.run);
    expect(query.runs).toBe(2);
    query.answer(5);
    expect(await Promise.all([...asked, other])).toEqual(Array.from({ length: 65 }, () => 5));
    expect(await counts.count("lane", query.run)).toBe(5);
    expect(query.runs).toBe(2);
  });

  it("that fail fail for all who asked, and are made again for the next", async () => {
    const counts = new RowCounts(new ManualClock());
    const query = new HeldQuery();
    const asked = [counts.count("lane", query.run), counts.count("lane", query.run)];
    query.fail(new Error("the store is away"));
    for (const { status } of await Promise.allSettled(asked)) expect(status).toBe("rejected");
    const next = counts.count("lane", query.run);
    query.answer(3);
    expect(await next).toBe(3);
    expect(query.runs).toBe(2);
  });

  it("are kept up with this node's changes, and made anew after a time that grows with them", async () => {
    const clock = new ManualClock();
    const counts = new RowCounts(clock);
    const count = (rows: number) => counts.count("lane", async () => rows);
    expect(await count(100_000)).toBe(100_000);
    for (let added = 0; added < 3; added++) counts.changed("lane", 1);
    counts.changed("lane", -1);
    await clock.advance(9_900);
    expect(await count(7)).toBe(100_002);
    await clock.advance(200);
    expect(await count(7)).toBe(7);
    await clock.advance(900);
    expect(await count(0)).toBe(7);
    await clock.advance(200);
    expect(await count(0)).toBe(0);
  });
});

/** A query that is answered by hand. */
class HeldQuery {
  runs = 0;
  readonly #held: PromiseWithResolvers<number>[] = [];
  readonly run = (): Promise<number> => {
    this.runs++;
    const held = Promise.withResolvers<number>();
    this.#held.push(held);
    return held.promise;
  };

  answer(count: number): void {
    for (const held of this.#held.splice(0)) held.resolve(count);
  }

  fail(error: Error): void {
    for (const held of this.#held.splice(0)) held.reject(error);
  }
}
