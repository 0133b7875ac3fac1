import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { openDataDirectory } from "./data-directory.ts";

function freshDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "chaya-data-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}

const freshPath = () => join(freshDirectory(), "data");
const newId = () => "01TEST";

it("makes the directory for its owner only, with a format version, and keeps the server's id", () => {
  const path = freshPath();
  openDataDirectory(path, newId)[Symbol.dispose]();
  expect(statSync(path).mode & 0o777).toBe(0o700);
  expect(JSON.parse(readFileSync(join(path, "format.json"), "utf8"))).toEqual({ formatVersion: 1, serverId: "01TEST" });
  using again = openDataDirectory(path, () => "another");
  expect(again.serverId).toBe("01TEST");
});

it("refuses a second server on the same directory with a sentence, until the first has gone", async () => {
  const path = freshPath();
  const module = new URL("./data-directory.ts", import.meta.url).href;
  const program = `const { openDataDirectory } = await import(${JSON.stringify(module)});
    const held = openDataDirectory(${JSON.stringify(path)}, () => "x"); console.log("held"); setInterval(() => held, 1000);`;
  const holder = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(holder.stdout, "data");
  expect(() => openDataDirectory(path, newId)).toThrow(/Another server uses the data directory/);
  holder.kill("SIGKILL");
  await once(holder, "exit");
  openDataDirectory(path, newId)[Symbol.dispose]();
});

it("refuses a directory that a newer server wrote, and a damaged format file", () => {
  const path = freshPath();
  openDataDirectory(path, newId)[Symbol.dispose]();
  writeFileSync(join(path, "format.json"), '{"formatVersion":2,"serverId":"x"}');
  expect(() => openDataDirectory(path, newId)).toThrow(/knows formats up to 1/);
  writeFileSync(join(path, "format.json"), "{");
  expect(() => openDataDirectory(path, newId)).toThrow(/damaged/);
  // A refused directory is not left locked.
  writeFileSync(join(path, "format.json"), '{"formatVersion":1,"serverId":"y"}');
  openDataDirectory(path, newId)[Symbol.dispose]();
});

it("says why a directory cannot be made", () => {
  const file = join(freshDirectory(), "file");
  writeFileSync(file, "");
  expect(() => openDataDirectory(join(file, "data"), newId)).toThrow(/cannot be made/);
});
