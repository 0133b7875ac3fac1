import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const packageDirectory = fileURLToPath(new URL("..", import.meta.url));
const run = promisify(execFile);
let directory: string;
let server: ChildProcess;
let environment: Record<string, string>;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "chaya-cli-"));
  await mkdir(join(directory, "bin"));
  await symlink(join(packageDirectory, "bin/chaya.mjs"), join(directory, "bin/chaya"));
  const path = [join(directory, "bin"), dirname(process.execPath), process.env.PATH].join(":");
  environment = { PATH: path, HOME: directory };
  server = spawn(
    join(directory, "bin/chaya"),
    ["start", "--port", "0", "--data", join(directory, "data"), "--example"],
    {
      env: environment,
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  let printed = "";
  for await (const chunk of server.stdout ?? []) {
    printed += chunk;
    if (printed.includes("An example answers at")) break;
  }
  environment.CHAYA_URL = /^Chaya is ready at (http:\/\/127\.0\.0\.1:\d+)$/m.exec(printed)?.[1] ?? "";
});
afterAll(async () => {
  server.kill("SIGTERM");
  if (server.exitCode === null) await once(server, "exit");
  await rm(directory, { recursive: true, force: true });
});

describe("the README", () => {
  it("shows commands that print what it says, against a real server", async () => {
    const readme = await readFile(join(packageDirectory, "README.md"), "utf8");
    const script = /^```sh\n([\s\S]*?)^```/m.exec(readme)?.[1] ?? "";
    const expected = [...script.matchAll(/^# prints: (.*)$/gm)].map((match) => match[1]);
    expect(expected.length).toBeGreaterThan(2);
    // Log lines and records are written in batches beside the calls: a moment later they are there.
    const patient = script.replaceAll(
      /^(chaya (?:logs|calls) .*)\n# prints: (.*)$/gm,
      'until $1 | grep -F "$2"; do :; done',
    );
    const { stdout } = await run("bash", ["-euo", "pipefail", "-c", patient], { cwd: directory, env: environment });
    for (const text of expected) expect(stdout).toContain(text);
  });
});

describe("a real server", () => {
  const chaya = (...words: string[]) => run(join(directory, "bin/chaya"), words, { cwd: directory, env: environment });

  it("serves the example that start --example deploys", async () => {
    const response = await fetch(`${environment.CHAYA_URL}/t/example/hello`, {
      method: "POST",
      body: '{"name":"you"}',
    });
    expect([response.status, await response.text()]).toEqual([200, '{"message":"Hello you"}']);
  });

  it("serves a TypeScript function, and rolls it back", async () => {
    await chaya("init", "--runtime", "typescript", "hits");
    await chaya("deploy", "--app", "ts", "hits");
    await run("sed", ["-i", "s/Hello/Bye/", join(directory, "hits/func.ts")]);
    await chaya("deploy", "--app", "ts", "hits");
    const invoke = async () =>
      (await run("bash", ["-c", "chaya invoke ts hits < /dev/null"], { env: environment })).stdout;
    expect(await invoke()).toBe('{"message":"Bye World"}');
    await chaya("rollback", "ts", "hits");
    expect(await invoke()).toBe('{"message":"Hello World"}');
  });

  it("is found by doctor in good order", async () => {
    const { stdout } = await chaya("doctor");
    expect(stdout).toContain("the same version");
    expect(stdout).not.toContain("WRONG");
  });

  it("refuses with exit code 1 and the problem's own words", async () => {
    const failed = await chaya("invoke", "ts", "nothing").catch((error) => error);
    expect([failed.code, failed.stderr]).toEqual([1, expect.stringContaining("There is no function 'nothing'.")]);
  });
});
