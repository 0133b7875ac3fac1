import { expect, it } from "vitest";
import { OneATurn } from "./one-a-turn.ts";

it("gives every piece of work a turn of its own, in order", async () => {
  const turns = new OneATurn();
  let turn = 0;
  let counting = setImmediate(function count() {
    turn++;
    counting = setImmediate(count);
  });
  const at = await Promise.all(["a", "b", "c"].map((name) => turns.next().then(() => `${name}${turn}`)));
  clearImmediate(counting);
  expect(at.map((entry) => entry[0])).toEqual(["a", "b", "c"]);
  expect(new Set(at.map((entry) => entry.slice(1))).size).toBe(3);
});
