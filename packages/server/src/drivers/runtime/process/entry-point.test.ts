import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { removeTree } from "../../../kernel/archive/index.ts";
import { readEntryPoint } from "./entry-point.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "entry-"));
});
afterEach(() => removeTree(directory));

async function entryOf(files: Readonly<Record<string, string>>) {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), content);
  }
  return readEntryPoint(directory);
}
const manifest = (entrypoint: unknown, formatVersion = 1) =>
  JSON.stringify({ formatVersion, runtime: "node", entrypoint });

describe("the entry point of a bundle", () => {
  it.each([
    [
      "its manifest before everything else",
      { ".chaya/bundle.json": manifest(["node", "a b.js"]), "func.js": "" },
      ["node", "a b.js"],
    ],
    [
      "func.yaml's entrypoint and cmd, split as Fn does",
      { "func.yaml": "entrypoint: node  func.js\ncmd: x y", "func.js": "" },
      ["node", "func.js", "x", "y"],
    ],
    ["func.yml", { "func.yml": "cmd: ./func" }, ["./func"]],
    ["func.js before func.ts", { "func.ts": "", "func.js": "" }, ["node", "func.js"]],
    [
      "func.ts when func.yaml does not say",
      { "func.yaml": "name: hello\nruntime: node", "func.ts": "" },
      ["node", "func.ts"],
    ],
    ["index.js last", { "index.js": "" }, ["node", "index.js"]],
  ])("is %s", async (_title, files: Readonly<Record<string, string>>, command) => {
    expect(await entryOf(files)).toMatchObject({ kind: "found", command, format: "http-stream" });
  });

  it("says what runs once a call, for which Node it is written, and where its code cache lies", async () => {
    const text = JSON.parse(manifest(["node", "f.js"]));
    const files = { ".chaya/bundle.json": JSON.stringify({ ...text, runtime: "node20", codeCache: "a/b" }) };
    expect(await entryOf(files)).toMatchObject({ runtime: "node20", codeCache: "a/b", format: "http-stream" });
    const functionFile = { "func.yaml": "entrypoint: bash f.sh\nruntime: bash\nformat: stdio" };
    await removeTree(join(directory, ".chaya"));
    expect(await entryOf(functionFile)).toMatchObject({ runtime: "bash", format: "stdio", codeCache: undefined });
  });

  it.each([
    ["no file that could be started", { "readme.md": "" }, /no .chaya\/bundle.json/],
    ["a manifest that is no JSON", { ".chaya/bundle.json": "{" }, /bundle.json is not one/],
    ["a manifest of a later format", { ".chaya/bundle.json": manifest(["x"], 2) }, /bundle.json is not one/],
    ["a manifest without a program", { ".chaya/bundle.json": manifest([]) }, /bundle.json is not one/],
    ["a manifest with U+0000", { ".chaya/bundle.json": manifest(["node", "a\0b"]) }, /bundle.json is not one/],
    [
      "a manifest whose code cache lies elsewhere",
      { ".chaya/bundle.json": `{"formatVersion":1,"runtime":"node","entrypoint":["node"],"codeCache":"a/../../b"}` },
      /bundle.json is not one/,
    ],
    [
      "a manifest that is too large",
      { ".chaya/bundle.json": manifest(["x".repeat(70_000)]) },
      /bundle.json is not one/,
    ],
    ["a func.yaml that is no YAML", { "func.yaml": "a: [" }, /func.yaml cannot be read/],
    ["a func.yaml with aliases", { "func.yaml": "a: &a x\nentrypoint: *a" }, /func.yaml cannot be read/],
    ["a func.yaml whose entrypoint is a list", { "func.yaml": "entrypoint: [a]" }, /func.yaml cannot be read/],
  ])("is none, with the reason, for %s", async (_title, files: Readonly<Record<string, string>>, why) => {
    expect(await entryOf(files)).toEqual({ kind: "none", why: expect.stringMatching(why) });
  });
});
