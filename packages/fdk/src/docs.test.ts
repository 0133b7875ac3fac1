import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { watch } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const packageDirectory = fileURLToPath(new URL("..", import.meta.url));
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "chaya-docs-"));
  await mkdir(join(directory, "node_modules/@chaya"), { recursive: true });
  await symlink(packageDirectory, join(directory, "node_modules/@chaya/fdk"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** Every fenced `js` block of the README and of the docstrings. */
async function examples(): Promise<{ place: string; code: string }[]> {
  const sources = await readdir(join(packageDirectory, "src"));
  const files = ["README.md", ...sources.filter((name) => !name.endsWith(".test.ts")).map((name) => `src/${name}`)];
  const found: { place: string; code: string }[] = [];
  for (const file of files) {
    const content = (await readFile(join(packageDirectory, file), "utf8")).replaceAll(/^ \* ?/gm, "");
    for (const [index, match] of [...content.matchAll(/^```js\n([\s\S]*?)^```/gm)].entries()) {
      found.push({ place: `${file}, example ${index + 1}`, code: match[1] ?? "" });
    }
  }
  return found;
}

async function callFunction(file: string, body: string): Promise<string> {
  const socketDirectory = await mkdtemp(join(directory, "s"));
  const socketPath = join(socketDirectory, "lsnr.sock");
  const links = watch(socketDirectory);
  const child = spawn(process.execPath, [file], {
    env: { FN_FORMAT: "http-stream", FN_LISTENER: `unix:${socketPath}` },
    stdio: ["ignore", "ignore", "inherit"],
  });
  try {
    for (let changed = once(links, "change"); !(await readdir(socketDirectory)).includes("lsnr.sock"); ) {
      await changed;
      changed = once(links, "change");
    }
    const request = httpRequest({ socketPath, method: "POST", path: "/call" }).end(body);
    const [response] = await once(request, "response");
    return await text(response);
  } finally {
    links.close();
    child.kill("SIGKILL");
  }
}

const found = await examples();

describe("the examples of the documentation", () => {
  it("are found", () => expect(found.length).toBeGreaterThanOrEqual(8));

  it.each(found.map(({ place, code }): [string, string] => [place, code]))(
    "%s does what it says",
    async (place, code) => {
      const isCommonJs = code.includes("require(");
      const file = join(directory, `${place.replaceAll(/\W/g, "-")}.${isCommonJs ? "cjs" : "mjs"}`);
      await writeFile(file, code);
      const expected = /^\/\/ out: ?(.*)$/m.exec(code)?.[1];
      if (expected === undefined) {
        await promisify(execFile)(process.execPath, [file]);
        return;
      }
      const answer = await callFunction(file, /^\/\/ in: *(.*)$/m.exec(code)?.[1] ?? "");
      expect(answer.replaceAll(/\s+/g, " ").trim()).toBe(expected);
    },
  );
});
