import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CliError } from "../cli-error.ts";
import { type FunctionFile, functionFileOf, readFunctionFile } from "./function-file.ts";
import { parseYamlFile } from "./yaml-file.ts";

const head = "schema_version: 20180708\n";
const read = (text: string): FunctionFile => functionFileOf(parseYamlFile("func.yaml", head + text), "Folder");

describe("func.yaml", () => {
  it("reads what fn init writes, without a warning", () => {
    const file = read(
      "name: hello\nversion: 0.0.1\nruntime: node24\nbuild_image: fnproject/node:24-dev\nrun_image: fnproject/node:24\nentrypoint: node func.js\ntriggers:\n- name: hello\n  type: http\n  source: /hello\n",
    );
    expect(file).toMatchObject({
      name: "hello",
      entrypoint: ["node", "func.js"],
      triggers: [{ name: "hello", type: "http", source: "/hello" }],
      isBundled: true,
      warnings: [],
    });
  });

  it.each([
    ["node", "javascript", "node"],
    ["typescript", "javascript", "node"],
    ["node22", "javascript", "node22"],
    ["/opt/node/bin/node", "javascript", "/opt/node/bin/node"],
    ["python3.12", "python", "python"],
    ["java17", "java", "java"],
    ["rust", "rust", "rust"],
    ["any", "any", "any"],
  ])("knows the runtime %s", (text, language, name) => {
    expect(read(`runtime: ${text}`).runtime).toEqual({ language, name });
  });

  it("takes a command as Fn's text or as a list of words", () => {
    expect(read('runtime: any\nformat: stdio\nentrypoint: a  b\ncmd: [c, d e, "5"]')).toMatchObject({
      format: "stdio",
      entrypoint: ["a", "b"],
      cmd: ["c", "d e", "5"],
    });
    expect(read("runtime: python")).toMatchObject({ format: "http-stream", entrypoint: undefined, cmd: undefined });
  });

  it("is JSON, too", () => {
    const file = functionFileOf(parseYamlFile("func.json", '{"schema_version":20180708,"name":"j","memory":64}'), "x");
    expect(file).toMatchObject({ name: "j", memory: 64 });
  });

  it("keeps config as it is written: YAML 1.2 knows two booleans, and text is text", () => {
    const file = read(
      'config:\n  A: yes\n  B: "true"\n  C: true\n  D: 1.10\n  E: 0x1F\n  F: 010\n  G: ~\n  H: |\n    two\n    lines\n  I: 2026-01-01\n  J: off\n',
    );
    expect(file.config).toEqual({
      A: "yes",
      B: "true",
      C: "true",
      D: "1.10",
      E: "0x1F",
      F: "010",
      G: "",
      H: "two\nlines\n",
      I: "2026-01-01",
      J: "off",
    });
  });

  it("takes a key named __proto__ as the key it is", () => {
    const { config } = read("config:\n  __proto__: x\n");
    expect(Object.keys(config)).toEqual(["__proto__"]);
    expect(Object.getPrototypeOf(config)).toBe(Object.prototype);
  });

  it("follows aliases", () => {
    expect(read("config: &c\n  A: x\nannotations: *c\n").annotations).toEqual({ A: "x" });
  });

  it("is named after its folder when it names nothing", () => expect(read("runtime: node").name).toBe("folder"));

  it("gives 'chaya:' settings as annotations", () => {
    expect(read("chaya:\n  retries: 5\n  capture: all\n").annotations).toEqual({
      "chaya/retries": 5,
      "chaya/capture": "all",
    });
  });

  it.each([
    ["a tab as indentation", "config:\n\tA: 1", /tabs? .*indentation|Tabs/i],
    ["two keys of one name", "name: a\nname: b", /unique/],
    ["something else than a map", undefined, /must be a map/],
    [
      "an unknown runtime",
      "runtime: kotlin",
      /'kotlin' cannot be deployed as code; these can: node, typescript, python/,
    ],
    ["a runtime that only begins like one", "runtime: rust2", /'rust2' cannot be deployed/],
    ["one of Fn's old formats", "format: json", /format must be http-stream or stdio, not 'json'/],
    ["an entrypoint with a map in its list", "entrypoint: [node, {a: b}]", /entrypoint must be text/],
    ["a name in upper case", "name: Hello", /'Hello' cannot be the name/],
    ["a name with a slash", "name: a/../b", /cannot be the name/],
    ["an entrypoint that is not node", "entrypoint: sh -c x", /must be 'node FILE'/],
    ["an entrypoint without a file", "entrypoint: node", /must be 'node FILE'/],
    ["memory as text", "memory: lots", /memory must be a whole number/],
    ["memory below zero", "memory: -1", /memory must be a whole number/],
    ["bundle: no (which is text)", "bundle: no", /bundle must be true or false/],
    ["nested config", "config:\n  A: {B: 1}", /config\.A must be one value/],
    ["config as a list", "config: [A]", /config must be a map/],
    ["triggers as a map", "triggers: {a: b}", /triggers must be a list/],
    ["a trigger without a source", "triggers:\n- name: x", /triggers\.source must be text/],
    ["an unknown setting", "chaya:\n  retrys: 1", /chaya\.retrys is not a setting; did you mean 'retries'\?/],
    ["a setting out of range", "chaya:\n  retries: 1000", /chaya\.retries must be a whole number from 0 to 100/],
    ["a build that is no text", "build: [1]", /build must be text/],
    ["aliases to nothing", "config: *missing", /Unresolved alias|alias/i],
  ])("refuses %s", (_name, text, message) => {
    const run = () => (text === undefined ? parseYamlFile("func.yaml", "- a") : read(text));
    expect(run).toThrow(CliError);
    expect(run).toThrow(message);
    expect(run).toThrow(/func\.yaml/);
  });

  it.each([
    ["", "absent"],
    ["schema_version: 1\n", "1"],
  ])("refuses another schema version (%j)", (text, shown) => {
    expect(() => functionFileOf(parseYamlFile("func.yaml", `${text}name: x`), "x")).toThrow(
      `must be 20180708, not ${shown}`,
    );
  });

  it("refuses a bomb of aliases at once", () => {
    const levels = Array.from(
      { length: 12 },
      (_value, level) =>
        `l${level}: &l${level} [${Array(10)
          .fill(level === 0 ? "x" : `*l${level - 1}`)
          .join(", ")}]`,
    );
    const startMs = performance.now();
    expect(() => read(`annotations:\n  ${levels.join("\n  ")}\n`)).toThrow(/alias/i);
    expect(performance.now() - startMs).toBeLessThan(1000);
  });

  it("refuses deep nesting", () => {
    expect(() => read(`annotations: ${"{a: ".repeat(200)}1${"}".repeat(200)}`)).toThrow(/nested deeper|depth/i);
  });
});

describe("the file in a folder", () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "chaya-yaml-"));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it("is not read when it is larger than any person writes", async () => {
    await writeFile(join(directory, "func.yaml"), "x".repeat(300_000));
    await expect(readFunctionFile(directory)).rejects.toThrow(/300000 bytes; at most 262144/);
  });
});
