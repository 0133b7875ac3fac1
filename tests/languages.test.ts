// Functions as `chaya init` makes them, deployed by the command line and called over HTTP.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { installMsMax, requireToolchains } from "../scripts/toolchains.ts";
import { chayaBin, type ServerProcess, startServerProcess } from "./server-process.ts";

let server: ServerProcess;
let directory: string;
beforeAll(async () => {
  requireToolchains("cargo", "go", "javac", "python3", "ruby");
  directory = mkdtempSync(join(tmpdir(), "chaya-languages-"));
  server = await startServerProcess();
}, installMsMax);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

/** The first Go function of a machine compiles the standard library. */
const slowMs = 180_000;

async function chaya(...words: readonly string[]): Promise<string> {
  const environment = { ...process.env, CHAYA_URL: server.url };
  const { stdout } = await promisify(execFile)(process.execPath, [chayaBin, ...words], {
    cwd: directory,
    env: environment,
  });
  return stdout;
}

async function call(path: string, body: string | Uint8Array<ArrayBuffer>): Promise<[status: number, body: string]> {
  const answer = await fetch(`${server.url}/t/demo/${path}`, { method: "POST", body });
  return [answer.status, await answer.text()];
}

describe("a fresh function", () => {
  it.each([
    ["typescript", '{"name":"Chaya"}', /^\{"message":"Hello Chaya"\}$/],
    ["python", '{"name":"Chaya"}', /^\{"message": "Hello Chaya"\}$/],
    ["bash", "Chaya", /^Hello, Chaya!\n$/],
    ["any", "Chaya", /^Hello, Chaya!\n$/],
    ["go", '{"name":"Chaya"}', /^\{"message":"Hello Chaya"\}\n$/],
    ["ruby", '{"name":"Chaya"}', /^\{"message":"Hello Chaya"\}$/],
    ["java", "Chaya", /^Hello, Chaya!$/],
    ["rust", "Chaya", /^Hello, Chaya!$/],
  ])(
    "of %s answers, again and again, and what it prints is its log",
    async (runtime, body, expected) => {
      const name = `hello-${runtime}`;
      await chaya("init", "--runtime", runtime, "--trigger", "http", name);
      await chaya("deploy", "--app", "demo", name);
      for (let time = 0; time < 3; time += 1) {
        expect(await call(name, body)).toEqual([200, expect.stringMatching(expected)]);
      }
      await expect.poll(() => chaya("logs", "--app", "demo", "--fn", name), { timeout: 10_000 }).toMatch(/greeting/i);
    },
    slowMs,
  );
});

describe("a program that is run once per call", () => {
  it("is given the call in its environment, any bytes, and fails by its exit code", async () => {
    await chaya("init", "--runtime", "bash", "--trigger", "http", "echo");
    const script =
      '[ "$FN_HTTP_METHOD" = POST ] || exit 9\nif [ "$(printenv FN_CONTENT_TYPE)" = fail ]; then exit 3; fi\ncat\n';
    writeFileSync(join(directory, "echo/func.sh"), script);
    await chaya("deploy", "--app", "demo", "echo");
    const bytes = Uint8Array.from({ length: 1024 * 1024 }, (_, index) => (index * 7) % 256);
    const answer = await fetch(`${server.url}/t/demo/echo`, { method: "POST", body: bytes });
    expect(answer.status).toBe(200);
    expect(Buffer.compare(new Uint8Array(await answer.arrayBuffer()), bytes)).toBe(0);
    const failed = await fetch(`${server.url}/t/demo/echo`, {
      method: "POST",
      body: "x",
      headers: { "content-type": "fail" },
    });
    expect(failed.status).toBe(502);
    expect(await call("echo", "after")).toEqual([200, "after"]);
  });
});
