import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { codeCache } from "./code-cache.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "chaya-cache-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A script of functions that only a compiler that is not lazy looks into. */
const script = (start: string) =>
  Buffer.from(
    `${Array.from({ length: 2_000 }, (_, index) => `exports.f${index} = (a) => [a, ${index}, a * 2].join();`).join("\n")}\n${start}`,
  );

/** Takes the cache as the platform does, in a Node with a limit of its own and without flags of ours. */
const use = `
const { wrap } = require("node:module");
const { readFileSync } = require("node:fs");
const cachedData = readFileSync("cache");
const script = new (require("node:vm").Script)(wrap(readFileSync("script", "utf8")), { filename: "/function/func.js", cachedData });
const module_ = { exports: {} };
script.runInThisContext()(module_.exports, require, module_);
console.log(script.cachedDataRejected, module_.exports.f7(1));
`;

it("is taken by a Node of the same version, and is the same each time", async () => {
  const source = script("");
  const [cache, again] = await Promise.all([codeCache(source), codeCache(source)]);
  expect(cache?.length).toBeGreaterThan(source.length / 2);
  expect(Buffer.compare(cache ?? Buffer.alloc(0), again ?? Buffer.alloc(1))).toBe(0);
  writeFileSync(join(folder, "script"), source);
  writeFileSync(join(folder, "cache"), cache ?? "");
  const flags = ["--max-old-space-size=96", "--enable-source-maps", "-e", use];
  expect(execFileSync(process.execPath, flags, { cwd: folder, env: {} }).toString()).toBe("false 1,7,2\n");
});

it("holds the functions of a short script too", async () => {
  const body = "a = [a, 1, a * 2].join();".repeat(20);
  const [short, empty] = [`exports.f = (a) => { ${body} };`, "exports.f = (a) => {};"];
  const [cache, other] = await Promise.all([codeCache(Buffer.from(short)), codeCache(Buffer.from(empty))]);
  // More than its text: the code of its one function.
  expect((cache?.length ?? 0) - (other?.length ?? 0)).toBeGreaterThan(2 * (short.length - empty.length));
});

it("runs nothing of the script", async () => {
  const mark = join(folder, "ran");
  const start = `require("node:fs").writeFileSync(${JSON.stringify(mark)}, ""); for (;;);`;
  expect(await codeCache(script(start))).toBeDefined();
  expect(() => execFileSync("stat", [mark], { stdio: "ignore" })).toThrow();
});

it("is not made of a script that cannot be compiled", async () => {
  expect(await codeCache(script("const = 1"))).toBeUndefined();
});
