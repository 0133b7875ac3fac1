import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type BuildTerminal, cachedBuild } from "./build-cache.ts";

let home: string;
let nowMs = 0;
let terminal: BuildTerminal;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "chaya-builds-"));
  nowMs = Date.UTC(2026, 0, 1);
  terminal = { stderr: { write: () => true }, environment: { HOME: home }, nowMs: () => nowMs };
});
afterEach(() => rm(home, { recursive: true, force: true }));

function build(...inputs: readonly string[]): Promise<string> {
  const make = (folder: string) => writeFile(join(folder, "made"), `${nowMs}`);
  return cachedBuild(terminal, { inputs, what: "Building", make });
}

it("builds once per inputs, whose borders count", async () => {
  const first = await build("ab", "c");
  nowMs += 1000;
  expect(await build("ab", "c")).toBe(first);
  expect(await build("a", "bc")).not.toBe(first);
  expect(await readFile(join(first, "made"), "utf8")).toBe(`${Date.UTC(2026, 0, 1)}`);
});

it("leaves nothing of a build that failed, and builds again", async () => {
  const failing = { inputs: ["x"], what: "Building", make: () => Promise.reject(new Error("no compiler")) };
  await expect(cachedBuild(terminal, failing)).rejects.toThrow("no compiler");
  expect(await readdir(join(home, ".cache/chaya/builds"))).toEqual([]);
  expect(await readdir(await build("x"))).toEqual(["made"]);
});

it("gives every deploy of the same moment a whole build", async () => {
  const folders = await Promise.all(Array.from({ length: 5 }, () => build("same")));
  expect(new Set(folders).size).toBe(1);
  expect(await readdir(join(home, ".cache/chaya/builds"))).toHaveLength(1);
});

it("forgets what was used longest ago", async () => {
  const folders: string[] = [];
  for (let number = 0; number < 20; number += 1) {
    folders.push(await build(`${number}`));
    nowMs += 1000;
  }
  await build("0");
  nowMs += 1000;
  await build("one more");
  const left = await readdir(join(home, ".cache/chaya/builds"));
  const isLeft = (number: number) => left.some((name) => folders[number]?.endsWith(name));
  expect([left.length, isLeft(0), isLeft(1), isLeft(2)]).toEqual([20, true, false, true]);
});
