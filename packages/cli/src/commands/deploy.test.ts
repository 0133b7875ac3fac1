import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type FakeServer, startFakeServer } from "../testing/fake-server.ts";
import { runInMemory } from "../testing/memory-terminal.ts";
import { runBundle, unpackBundle } from "../testing/run-bundle.ts";

let server: FakeServer;
let root: string;
let directory: string;
beforeAll(async () => {
  server = await startFakeServer();
  root = await mkdtemp(join(tmpdir(), "chaya-deploy-"));
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(root, { recursive: true, force: true });
});
beforeEach(async () => {
  directory = await mkdtemp(join(root, "t"));
});

async function write(files: Readonly<Record<string, string>>, folder = directory): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
}

function chaya(...words: string[]) {
  return runInMemory(words, {
    directory,
    environment: {
      PATH: process.env.PATH ?? "",
      CHAYA_URL: server.url,
      HOME: root,
      XDG_CACHE_HOME: join(root, "cache"),
    },
  });
}

interface Deployed {
  readonly functions: readonly {
    readonly name: string;
    readonly image: string;
    readonly isNewImage: boolean;
    readonly isNewFunction: boolean;
  }[];
}

async function deploy(...words: string[]): Promise<Deployed["functions"]> {
  const run = await chaya("deploy", "--app", "demo", "--json", ...words);
  expect(run.err.replaceAll(/^(Created the application.*|.* …)\n/gm, "")).toBe("");
  expect(run.code).toBe(0);
  return (run.json() as Deployed).functions;
}

function bundleOf(image: string | undefined): Buffer {
  return server.bundles.get(image ?? "") ?? Buffer.alloc(0);
}

const functionFile = "schema_version: 20180708\nname: one\nruntime: node\n";

describe("init and deploy", () => {
  it.each(["node", "typescript"])("bring a fresh %s function to answer, without npm or a network", async (runtime) => {
    const name = `fresh-${runtime}`;
    expect((await chaya("init", "--runtime", runtime, "--trigger", "http", name)).code).toBe(0);
    const run = await chaya("deploy", "--app", "demo", name);
    expect(run.code).toBe(0);
    expect(run.out).toContain(`Created demo/${name}\n`);
    expect(run.out).toContain(`  trigger  ${server.url}/t/demo/${name}\n`);
    const fn = server.fns.find((one) => one.name === name);
    expect(run.out).toContain(`  invoke   ${server.url}/invoke/${fn?.id}\n`);
    await using running = await runBundle(bundleOf(String(fn?.image)));
    expect(await running.call('{"name":"Chaya"}')).toEqual({ status: 200, body: '{"message":"Hello Chaya"}' });
    expect(running.output()).toMatch(/greeting/i);
    expect(running.manifest).toMatchObject({ formatVersion: 1, runtime: "node" });
  });

  it("give the same bytes for the same folder, wherever it is and whenever it is packed", async () => {
    await chaya("init", "--runtime", "typescript", "same");
    const [first] = await deploy("same");
    execFileSync("cp", ["-r", join(directory, "same"), join(directory, "deeper-copy")]);
    await mkdir(join(directory, "a/b"), { recursive: true });
    execFileSync("mv", [join(directory, "deeper-copy"), join(directory, "a/b/same")]);
    execFileSync("touch", ["-d", "2001-01-01", join(directory, "a/b/same/func.ts")]);
    const [second] = await deploy("a/b/same");
    expect(second).toMatchObject({ image: first?.image, isNewImage: false, isNewFunction: false });
  });
});

describe("a deployed function", () => {
  it("gets its limits, config, annotations, settings and triggers, and keeps what the file does not say", async () => {
    await write({
      "func.yaml": `${functionFile}memory: 256\ntimeout: 60\nidle_timeout: 90\nconfig:\n  VERSION: 1.10\n  FLAG: yes\n  EMPTY:\nannotations:\n  note: [1, 2]\nchaya:\n  retries: 3\n  min-instances: 1\ntriggers:\n- name: web\n  type: http\n  source: /one\n`,
      "func.js": "require('@fnproject/fdk').handle(() => 1)",
    });
    await deploy();
    const fn = server.fns.find((one) => one.name === "one");
    expect(fn).toMatchObject({
      memory: 256,
      timeout: 60,
      idle_timeout: 90,
      config: { VERSION: "1.10", FLAG: "yes", EMPTY: "" },
      annotations: { note: [1, 2], "chaya/retries": 3, "chaya/min-instances": 1 },
    });
    expect(server.triggers).toContainEqual(expect.objectContaining({ name: "web", source: "/one", fn_id: fn?.id }));
    await chaya("config", "set", "demo", "--fn", "one", "ADDED=later");
    await write({ "func.yaml": `${functionFile}triggers:\n- {name: web, source: /moved}\n` });
    const before = server.changes.length;
    await deploy();
    expect(server.fns.find((one) => one.name === "one")).toMatchObject({
      memory: 256,
      config: { VERSION: "1.10", ADDED: "later" },
    });
    expect(server.triggers.find((one) => one.name === "web")?.source).toBe("/moved");
    expect(server.changes.slice(before).map((line) => line.split(" ", 1)[0])).toEqual(["POST", "PUT", "PUT"]);
  });

  it("has one script of what it imports, whose stacks name its own files and lines", async () => {
    await write({
      "func.yaml": `${functionFile}entrypoint: node src/main.ts --flag\n`,
      "package.json": '{"type":"module"}',
      "src/main.ts": `import { handle } from "@chaya/fdk";\nimport { shout } from "./lib/shout.ts";\nimport left from "left";\nconst require: string = "a name of mine";\nconsole.log(process.argv.slice(2).join());\nhandle((input: { text: string }) => left(shout(input.text), require));\n`,
      "src/lib/shout.ts": `interface Options { readonly mark: string }\n\nexport function shout(text: string, options: Options = { mark: "!" }): string {\n  if (text === "") throw new Error("nothing to shout");\n  return text.toUpperCase() + options.mark;\n}\n`,
      "node_modules/left/package.json": '{"name":"left","main":"index.js"}',
      "node_modules/left/index.js": `const fs = require("fs"); module.exports = (text, more) => [text, more, typeof fs.readFileSync, typeof __dirname];`,
    });
    const [deployed] = await deploy();
    await using running = await runBundle(bundleOf(deployed?.image));
    expect(running.manifest.entrypoint).toEqual(["node", "--enable-source-maps", "src/main.bundle.cjs", "--flag"]);
    expect(JSON.parse((await running.call('{"text":"hi"}')).body)).toEqual([
      "HI!",
      "a name of mine",
      "function",
      "string",
    ]);
    expect((await running.call('{"text":""}')).status).toBe(502);
    expect(running.output()).toContain("--flag\n");
    expect(running.output()).toMatch(/nothing to shout\n\s+at shout .*src\/lib\/shout\.ts:4:/);
    const script = await readFile(join(running.directory, "src/main.bundle.cjs"), "utf8");
    expect(script).not.toContain(root);
  });

  it("takes its files along, but not credentials, ignored files or links that leave the folder", async () => {
    await write({
      "func.yaml": functionFile,
      "func.js": `const { readFileSync } = require("fs");\nrequire("@fnproject/fdk").handle(() => readFileSync(__dirname + "/data/greeting.txt", "utf8"))`,
      "data/greeting.txt": "from a file",
      ".env": "TOKEN=1",
      ".npmrc": "//registry/:_authToken=1",
      ".git/config": "x",
      "notes/draft.md": "x",
      "notes/keep.md": "x",
      "big.bin": "x",
      ".chayaignore": "# comment\n*.bin\nnotes/*\n!notes/keep.md\n",
      "node_modules/unused/package.json": '{"name":"unused"}',
    });
    await symlink("/etc/passwd", join(directory, "leak"));
    await symlink("data/greeting.txt", join(directory, "inside"));
    const run = await chaya("deploy", "--app", "demo", "--json");
    expect(run.err).toBe("Warning: leak is left out: it is a link that leads out of the folder\n");
    const bytes = bundleOf((run.json() as Deployed).functions[0]?.image);
    await using running = await runBundle(bytes);
    expect((await running.call("")).body).toBe('"from a file"');
    const names = execFileSync("tar", ["-tzf", "-"], { input: bytes }).toString().trim().split("\n");
    expect(names).toEqual([
      ".chaya/bundle.json",
      ".chaya/code-cache",
      "data/greeting.txt",
      "func.bundle.cjs",
      "func.bundle.cjs.map",
      "func.js",
      "func.yaml",
      "inside",
      "notes/keep.md",
    ]);
  });

  it("travels with compiled and oci packages beside its script, and what those need", async () => {
    const packageOf = (name: string, more: object = {}) => JSON.stringify({ name, main: "index.js", ...more });
    await write({
      "func.yaml": functionFile,
      "func.js": `const fdk = require("@fnproject/fdk");\nconst parts = [require("compiled"), require("oci-common/lib/x"), require("plain")];\nfdk.handle(() => parts)`,
      "node_modules/compiled/package.json": packageOf("compiled", {
        dependencies: { needed: "1" },
        optionalDependencies: { "other-system": "1" },
      }),
      "node_modules/compiled/index.js": `module.exports = "compiled+" + require("needed")`,
      "node_modules/compiled/build/Release/x.node": "",
      "node_modules/needed/package.json": packageOf("needed"),
      "node_modules/needed/index.js": `module.exports = "needed"`,
      "node_modules/oci-common/package.json": packageOf("oci-common"),
      "node_modules/oci-common/lib/x.js": `module.exports = "oci"`,
      "node_modules/plain/package.json": packageOf("plain"),
      "node_modules/plain/index.js": `module.exports = "plain"`,
    });
    const [deployed] = await deploy();
    await using running = await runBundle(bundleOf(deployed?.image));
    expect(JSON.parse((await running.call("")).body)).toEqual(["compiled+needed", "oci", "plain"]);
    const names = execFileSync("tar", ["-tzf", "-"], { input: bundleOf(deployed?.image) }).toString();
    expect(names).toContain("node_modules/compiled/build/Release/x.node\n");
    expect(names).not.toContain("node_modules/plain/");
  });

  it.each(["@fnproject/fdk", "@chaya/fdk"])("with 'bundle: false' is the folder as it is, with %s", async (fdk) => {
    await write({
      "func.yaml": `${functionFile}bundle: false\n`,
      "func.js": `const name = "./parts/" + "one.js";\nrequire("${fdk}").handle(() => require(name))`,
      "parts/one.js": "module.exports = 'computed'",
      "node_modules/.bin/tool": "x",
      "node_modules/dep/package.json": '{"name":"dep"}',
    });
    const [deployed] = await deploy();
    await using running = await runBundle(bundleOf(deployed?.image));
    expect(running.manifest.entrypoint).toEqual(["node", "func.js"]);
    expect((await running.call("")).body).toBe('"computed"');
    const names = execFileSync("tar", ["-tzf", "-"], { input: bundleOf(deployed?.image) }).toString();
    expect(names).toContain("node_modules/dep/package.json\n");
    expect(names).not.toContain(".bin");
  });

  it("resolves packages from an installed lock outside of the folder, installed once", async () => {
    await write({
      "dep/package.json": '{"name":"dep","version":"1.0.0","main":"i.js"}',
      "dep/i.js": "module.exports = 'from the lock'",
    });
    execFileSync("npm", ["pack", "--silent"], { cwd: join(directory, "dep") });
    const tarball = `file:${join(directory, "dep/dep-1.0.0.tgz")}`;
    const files = {
      "f/func.yaml": functionFile,
      "f/func.js": `const fdk = require("@fnproject/fdk"); const dep = require("dep"); fdk.handle(() => dep)`,
      "f/package.json": JSON.stringify({ name: "f", version: "1.0.0", dependencies: { dep: tarball } }),
    };
    await write(files);
    execFileSync("npm", ["install", "--package-lock-only", "--silent", "--no-audit"], { cwd: join(directory, "f") });
    const [first] = await deploy("f");
    await rm(join(directory, "dep"), { recursive: true });
    const [second] = await deploy("f");
    expect(second).toMatchObject({ image: first?.image, isNewImage: false });
    await using running = await runBundle(bundleOf(first?.image));
    expect((await running.call("")).body).toBe('"from the lock"');
  });

  it("runs its build commands before it is packed, and says what they printed when they fail", async () => {
    await write({
      "func.yaml": `${functionFile}build:\n- echo "require('@fnproject/fdk').handle(() => 'built')" > func.js\n`,
    });
    await deploy();
    await write({ "func.yaml": `${functionFile}build:\n- echo trouble >&2; exit 3\n` });
    const run = await chaya("deploy", "--app", "demo");
    expect([run.code, run.err]).toEqual([1, expect.stringContaining("failed: it ended with code 3.\n  trouble")]);
  });
});

describe("deploy --all", () => {
  it("deploys every function below the folder into app.yaml's application", async () => {
    const code = "require('@fnproject/fdk').handle(() => 1)";
    await write({
      "app.yaml": "name: shop\nconfig:\n  REGION: eu\nannotations:\n  team: a\nsyslog_ur: x\n",
      "orders/func.yaml": functionFile.replace("one", "orders"),
      "orders/func.js": code,
      "deep/er/func.yml": functionFile.replace("name: one\n", ""),
      "deep/er/func.js": code,
      "node_modules/x/func.yaml": "broken",
      ".hidden/func.yaml": "broken",
    });
    const run = await chaya("deploy", "--all");
    expect(run.err).toContain("Warning: app.yaml: the key 'syslog_ur' is not known; did you mean 'syslog_url'?");
    expect(run.out.match(/^Created .*$/gm)).toEqual(["Created shop/er", "Created shop/orders"]);
    expect(server.apps.find((app) => app.name === "shop")).toMatchObject({
      config: { REGION: "eu" },
      annotations: { team: "a" },
    });
  });
});

describe("deploy", () => {
  it("warns of unknown keys, missing config and config that looks secret, and says the command", async () => {
    await write({
      "func.yaml": `${functionFile}timout: 3\ndeploy: {}\nconfig:\n  API_TOKEN: abcdef\nexpects:\n  config:\n  - name: NEEDED\n    required: true\n  - name: NICE\n`,
      "func.js": "require('@fnproject/fdk').handle(() => 1)",
    });
    const { err, code } = await chaya("deploy", "--app", "demo");
    expect(code).toBe(0);
    expect(err).toContain("the key 'timout' is not known; did you mean 'timeout'?");
    expect(err).toContain("'deploy' has no meaning here");
    expect(err).toContain("chaya secrets set demo API_TOKEN --fn one");
    expect(err).not.toContain("abcdef");
    expect(err).toContain("chaya config set demo NEEDED=VALUE --fn one");
    expect(err).not.toContain("NICE");
  });

  it.each<[string, Record<string, string>, number, RegExp]>([
    ["without an application", { "func.yaml": functionFile }, 2, /Which application\?/],
    ["without func.yaml", { "x.txt": "" }, 1, /There is no func\.yaml in/],
    ["with a missing entry file", { "func.yaml": functionFile }, 1, /The entry file 'func\.js' is not in/],
    [
      "with an entry file outside",
      { "func.yaml": `${functionFile}entrypoint: node ../x.js\n` },
      1,
      /'\.\.\/x\.js' is not in/,
    ],
    [
      "with a missing package",
      { "func.yaml": functionFile, "func.js": 'require("nope/deep")' },
      1,
      /func\.js:1:9: Could not resolve "nope\/deep"\n {2}1 \| require.*\n {4}\| {9}\^+\n {2}Install it in the function's folder: npm install nope\n/,
    ],
    [
      "with broken code",
      { "func.yaml": functionFile, "func.js": "\tconst é = 1;\n\tconst = 2;" },
      1,
      /func\.js:2:8: Expected identifier but found "="\n {2}2 \| \tconst = 2;\n {4}\| \t {6}\^\n/,
    ],
    [
      "with a broken package.json",
      { "func.yaml": functionFile, "func.js": "1", "package.json": "{" },
      1,
      /package\.json:1:2: Expected string in JSON/,
    ],
  ])("says what is wrong %s", async (name, files, code, message) => {
    await write(files);
    const run = await chaya("deploy", ...(name === "without an application" ? [] : ["--app", "demo"]));
    expect([run.code, run.out]).toEqual([code, ""]);
    expect(run.err).toMatch(message);
  });

  it("uploads nothing and changes nothing when packing fails", async () => {
    await write({ "func.yaml": functionFile, "func.js": "const = 1" });
    const before = [...server.changes];
    await chaya("deploy", "--app", "demo");
    expect(server.changes).toEqual(before);
  });

  it.each([
    ["node20", "var __using"],
    ["node", "using file ="],
  ])("for the runtime %s makes a script that it understands, and says so", async (runtime, expected) => {
    await write({
      "func.yaml": `${functionFile.replace("node", runtime)}entrypoint: node /function/func.js\n`,
      // Long enough to be worth a code cache.
      "func.js": `{ using file = { [Symbol.dispose]() {} }; console.log(file, "${"x".repeat(100_000)}"); }`,
    });
    const [deployed] = await deploy();
    const code = await unpackBundle(bundleOf(deployed?.image));
    const manifest = JSON.parse(await readFile(join(code, ".chaya/bundle.json"), "utf8"));
    expect(manifest).toMatchObject({ runtime, entrypoint: ["node", "--enable-source-maps", "func.bundle.cjs"] });
    expect("codeCache" in manifest).toBe(runtime === "node");
    expect(await readFile(join(code, "func.bundle.cjs"), "utf8")).toContain(expected);
    await rm(dirname(code), { recursive: true });
  });

  it("stores file modes, long and foreign names faithfully", async () => {
    const long = `${"long-folder-name/".repeat(12)}${"x".repeat(120)}.txt`;
    await write({
      "func.yaml": functionFile,
      "func.js": "require('@fnproject/fdk')",
      "tool.sh": "#!/bin/sh\n",
      [long]: "long",
      "Grüße 写真.txt": "foreign",
    });
    execFileSync("chmod", ["755", join(directory, "tool.sh")]);
    const [deployed] = await deploy();
    const code = await unpackBundle(bundleOf(deployed?.image));
    expect(await readFile(join(code, long), "utf8")).toBe("long");
    expect(await readFile(join(code, "Grüße 写真.txt"), "utf8")).toBe("foreign");
    expect(execFileSync("stat", ["-c", "%a", "tool.sh", "func.js"], { cwd: code }).toString()).toBe("755\n644\n");
    await rm(dirname(code), { recursive: true });
  });
});
