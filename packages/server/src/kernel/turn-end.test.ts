import { expect, it } from "vitest";
import { TurnEnd } from "./turn-end.ts";

const turnOver = () => new Promise((resolve) => setImmediate(resolve));

it("runs what was added in a turn together at its end, in order", async () => {
  const turnEnd = new TurnEnd();
  const ran: string[] = [];
  turnEnd.add(() => ran.push("first"));
  await Promise.resolve();
  turnEnd.add(() => ran.push("second"));
  expect(ran).toEqual([]);
  await turnOver();
  expect(ran).toEqual(["first", "second"]);
});

it("leaves what a task adds to the end of the next turn", async () => {
  const turnEnd = new TurnEnd();
  const ran: string[] = [];
  turnEnd.add(() => {
    ran.push("first");
    turnEnd.add(() => ran.push("second"));
  });
  await turnOver();
  expect(ran).toEqual(["first"]);
  await turnOver();
  expect(ran).toEqual(["first", "second"]);
});

it("runs each task once, however many turns follow", async () => {
  const turnEnd = new TurnEnd();
  let runs = 0;
  turnEnd.add(() => runs++);
  await turnOver();
  turnEnd.add(() => {});
  await turnOver();
  expect(runs).toBe(1);
});
