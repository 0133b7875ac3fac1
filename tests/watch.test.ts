import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { testStores } from "../packages/server/src/testing/stores.ts";
import { type Answer, read, send, until } from "./calls.ts";
import { chayaBin } from "./server-process.ts";
import { startTestPlatform, type TestPlatform } from "./test-platform.ts";

/** `chaya deploy --watch` in a process of its own. */
interface Watch {
  /** Waits for so many lines that tell of a reload. */
  reloads(count: number): Promise<readonly string[]>;
  output(): string;
  /** Ctrl-C; gives the exit code. */
  interrupt(): Promise<number | null>;
}

const embedded = testStores().find((store) => store.kind === "embedded");
const functionFile = (name: string, more = "") => `schema_version: 20180708\nname: ${name}\nruntime: node\n${more}`;
const answering = (text: string) => `require("@fnproject/fdk").handle(() => "${text}");\n`;

let platform: TestPlatform;
let folder: string;
const watches: { kill(): void }[] = [];
beforeAll(async () => {
  platform = await start();
});
afterAll(() => platform[Symbol.asyncDispose]());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "chaya-watch-"));
});
afterEach(() => {
  for (const watch of watches.splice(0)) watch.kill();
  rmSync(folder, { recursive: true, force: true });
});

describe.each([
  {
    ...{ language: "JavaScript", file: "func.js" },
    code: (version: string) => `
const fdk = require("@fnproject/fdk");
fdk.handle(async (ms) => {
  await new Promise((resolve) => setTimeout(resolve, ms || 0));
  return "${version}";
});`,
  },
  {
    ...{ language: "TypeScript", file: "func.ts" },
    code: (version: string) => `
import { setTimeout as sleep } from "node:timers/promises";
import { handle } from "@chaya/fdk";
handle(async (ms: number) => sleep(ms || 0, "${version}" as const));`,
  },
])("a watched function in $language", ({ language, file, code }) => {
  it("answers with the new code after each save, while a call in flight finishes on the old code", async () => {
    const name = language.toLowerCase();
    write({ "func.yaml": functionFile(name), [file]: code("0") });
    const watch = await startWatch([], name);
    for (let version = 1; version <= 5; version++) {
      const inFlight = call(name, 1_500);
      await until(async () => (await busyInstances(name)) > 0 || undefined, "a call in flight");
      let hasEnded = false;
      void inFlight.then(() => (hasEnded = true));
      write({ [file]: code(String(version)) });
      await answers(name, String(version));
      expect(hasEnded).toBe(false);
      expect(await inFlight).toMatchObject({ status: 200, text: JSON.stringify(String(version - 1)) });
    }
    expect(await watch.reloads(5)).toEqual(Array(5).fill(expect.stringMatching(reloaded(name))));
    expect(await watch.interrupt()).toBe(0);
  });

  it("shows a mistake with its place in the terminal and in the answer until it is corrected", async () => {
    const name = `broken-${language.toLowerCase()}`;
    write({ "func.yaml": functionFile(name), [file]: code("fine") });
    const watch = await startWatch([], name);
    write({ [file]: `const fine = 1;\nconst = 2;\n` });
    const answer = await until(async () => {
      const found = await call(name);
      return found.status === 502 ? found : undefined;
    }, "an answer of the broken code");
    const shown = `The code cannot be bundled: ${file}:2:7: Expected identifier but found "="\n  2 | const = 2;\n    |       ^\n`;
    const { code: problem, detail } = JSON.parse(answer.text);
    expect(problem).toBe("instance-start-failed");
    expect(detail).toContain(`It printed:\n${shown}`);
    expect(watch.output()).toContain(`chaya: ${shown}`);
    write({ [file]: code("mended") });
    await answers(name, "mended");
    expect(await watch.interrupt()).toBe(0);
  });
});

describe("a watched folder", () => {
  it("is deployed again for files that are replaced, made in new folders or imported from elsewhere", async () => {
    const entry = `const parts = [require("./deep/er/part.js"), require("../lib/shared.js")];\n`;
    write({
      "fn/func.yaml": functionFile("folders"),
      "fn/func.js": `${entry}require("@fnproject/fdk").handle(() => parts.join(" "));`,
      "fn/deep/er/part.js": `module.exports = "a";`,
      "lib/shared.js": `module.exports = "1";`,
    });
    await startWatch(["fn"], "folders");
    write({ "fn/deep/er/part.js.tmp": `module.exports = "b";` });
    renameSync(join(folder, "fn/deep/er/part.js.tmp"), join(folder, "fn/deep/er/part.js"));
    await answers("folders", "b 1");
    write({ "lib/shared.js": `module.exports = "2";` });
    await answers("folders", "b 2");
    renameSync(join(folder, "fn/deep"), join(folder, "fn/old"));
    write({ "fn/deep/er/part.js": `module.exports = "c";` });
    await answers("folders", "c 2");
    write({ "fn/deep/er/part.js": `module.exports = "d";` });
    await answers("folders", "d 2");
  });

  it("is not deployed again for what is ignored, for packages, for the same bytes or for what its build writes", async () => {
    write({
      "func.yaml": functionFile(
        "quiet",
        `build:\n- mkdir -p dist && date +%s%N > dist/built && cp source.js func.js\n`,
      ),
      "source.js": answering("one"),
      ".chayaignore": "notes/\n",
      "notes/draft.md": "",
      "node_modules/x/package.json": "{}",
    });
    const watch = await startWatch([], "quiet");
    await answers("quiet", "one");
    write({ "notes/draft.md": "x", "node_modules/x/index.js": "x", ".git/index": "x", ".func.js.swp": "x" });
    write({ "source.js": answering("one") });
    write({ "source.js": answering("two") });
    await answers("quiet", "two");
    write({ "source.js": answering("three") });
    await answers("quiet", "three");
    expect(await watch.interrupt()).toBe(0);
    // The build's file has another time in it with each run, so each run is a reload.
    expect(watch.output().match(reloadLines)?.length).toBeLessThanOrEqual(3);
  });

  it("with --all has every function below it, those that come later included, and reloads those that changed", async () => {
    write({
      "a/func.yaml": functionFile("a"),
      "a/func.js": answering("a1"),
      "b/func.yaml": functionFile("b"),
      "b/func.js": answering("b1"),
    });
    const watch = await startWatch(["--all"], "b");
    write({ "a/func.js": answering("a2") });
    await answers("a", "a2");
    write({ "c/func.yaml": functionFile("c"), "c/func.js": answering("c1") });
    await answers("c", "c1");
    write({ "b/func.js": answering("b2") });
    await answers("b", "b2");
    const lines = await watch.reloads(2);
    expect(lines.map((line) => /watched\/\w+/.exec(line)?.[0])).toEqual(["watched/a", "watched/b"]);
    expect(watch.output()).toContain("\nCreated watched/c\n");
  });

  it("goes on after a func.yaml that cannot be read, and takes its next form", async () => {
    write({
      "func.yaml": functionFile("settings"),
      "func.js": `require("@fnproject/fdk").handle(() => process.env.KEY ?? "none");`,
    });
    const watch = await startWatch([], "settings");
    write({ "func.yaml": "name: [" });
    const broken = await until(async () => {
      const found = await call("settings");
      return found.status === 502 ? found : undefined;
    }, "an answer that says so");
    for (const shown of [watch.output(), broken.text]) expect(shown).toContain("func.yaml cannot be used");
    write({ "func.yaml": functionFile("settings", "config:\n  KEY: value\n") });
    await answers("settings", "value");
  });
});

it("a watch survives a server that is away and deploys once it is back", async () => {
  const data = mkdtempSync(join(tmpdir(), "chaya-watch-data-"));
  let server = await start({ data });
  const { port } = server;
  write({ "func.yaml": functionFile("patient"), "func.js": answering("before") });
  const watch = await startWatch([], "patient", server.url);
  await server[Symbol.asyncDispose]();
  write({ "func.js": answering("after") });
  await until(() => /does not answer.*\n.*asked again/.exec(watch.output()) ?? undefined, "the sentence");
  server = await start({ data, port: String(port) });
  try {
    await answers("patient", "after", server.url);
    expect(await watch.reloads(1)).toEqual([expect.stringMatching(reloaded("patient"))]);
    expect(watch.output().match(/does not answer/g)).toHaveLength(1);
    expect(await watch.interrupt()).toBe(0);
  } finally {
    await server[Symbol.asyncDispose]();
    rmSync(data, { recursive: true, force: true });
  }
});

const reloadLines = /^\d\d:\d\d:\d\d Reloaded .*$/gm;
const reloaded = (name: string) => new RegExp(`^\\d\\d:\\d\\d:\\d\\d Reloaded watched/${name} in \\d+ ms$`);

function start(flags: Readonly<Record<string, string>> = {}): Promise<TestPlatform> {
  if (embedded === undefined) throw new Error("there is always an embedded store");
  return startTestPlatform(embedded, { flags });
}

function write(files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

/** Watches and waits until the function answers. */
async function startWatch(words: readonly string[], name: string, url = platform.url): Promise<Watch> {
  const child = spawn(process.execPath, [chayaBin, "deploy", "--app", "watched", "--watch", ...words], {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: folder, CHAYA_URL: url },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (text += chunk));
  const exited = once(child, "exit");
  watches.push({ kill: () => void child.kill("SIGKILL") });
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`the watch ended: ${text}`);
    return (await call(name, 0, url)).status === 200 || undefined;
  }, `the first deploy of ${name}`);
  return {
    output: () => text,
    reloads: (count) =>
      until(() => {
        const lines = text.match(reloadLines) ?? [];
        return lines.length >= count ? lines : undefined;
      }, `${count} reloads in: ${text}`),
    interrupt: async () => {
      child.kill("SIGINT");
      await exited;
      return child.exitCode;
    },
  };
}

async function call(name: string, ms = 0, url = platform.url): Promise<Answer> {
  const id = await functionId(name, url);
  return id === undefined ? { status: 404, headers: new Headers(), text: "" } : send(`${url}/invoke/${id}`, ms);
}

async function functionId(name: string, url: string): Promise<string | undefined> {
  const [app] = (await read<{ items: { id: string }[] }>(`${url}/v2/apps?name=watched`)).items;
  if (app === undefined) return undefined;
  return (await read<{ items: { id: string }[] }>(`${url}/v2/fns?app_id=${app.id}&name=${name}`)).items[0]?.id;
}

async function answers(name: string, text: string, url = platform.url): Promise<void> {
  let last: Answer | undefined;
  await until(async () => {
    last = await call(name, 0, url);
    return last.text === JSON.stringify(text) || undefined;
  }, `'${text}' of ${name}`).catch((cause: unknown) => {
    throw new Error(`last answer: ${last?.status} ${last?.text}`, { cause });
  });
}

async function busyInstances(name: string): Promise<number> {
  const { text } = await send(`${platform.url}/metrics`, undefined, { method: "GET" });
  return Number(
    new RegExp(`^chaya_instances\\{app="watched",fn="${name}",state="busy"\\} (\\d+)$`, "m").exec(text)?.[1] ?? 0,
  );
}
