import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { BuildOutput, folderState } from "./watch-build-output.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "chaya-output-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const at = (name: string) => join(folder, name);
/** Another length each time: two writes within a tick of the clock look alike. */
let writes = 0;
const write = (name: string) => writeFileSync(at(name), "x".repeat(++writes));

async function build(output: BuildOutput, run: () => void): Promise<void> {
  const before = await folderState(folder, () => true);
  run();
  output.learn(before, await folderState(folder, () => true));
}

it("is what a build made or wrote, as long as nobody else changes it", async () => {
  const output = new BuildOutput();
  write("old.js");
  write("source.ts");
  await build(output, () => {
    mkdirSync(at("dist"));
    for (const name of ["dist/new.js", "old.js"]) write(name);
    rmSync(at("source.ts"));
  });
  const paths = ["dist", "dist/new.js", "old.js", "source.ts", "other"].map(at);
  expect(await Promise.all(paths.map((path) => output.has(path)))).toEqual([true, true, true, true, false]);
  write("old.js");
  expect(await output.has(at("old.js"))).toBe(false);
});

it("is not what somebody saved during a build, unless the next build writes it too", async () => {
  const output = new BuildOutput();
  write("source.ts");
  await build(output, () => write("out.js"));
  await build(output, () => ["out.js", "source.ts"].forEach(write));
  expect([await output.has(at("out.js")), await output.has(at("source.ts"))]).toEqual([true, false]);
  await build(output, () => write("out.js"));
  await build(output, () => ["out.js", "source.ts"].forEach(write));
  expect(await output.has(at("source.ts"))).toBe(false);
  await build(output, () => ["out.js", "source.ts"].forEach(write));
  expect(await output.has(at("source.ts"))).toBe(true);
});
