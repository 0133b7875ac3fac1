import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { send, until } from "./calls.ts";
import { deployCode } from "./deploy-code.ts";
import { childrenOf, isAlive } from "./processes.ts";
import { chayaBin, startServerProcess } from "./server-process.ts";
import { wildFunction } from "./wild-function.ts";

/** The pinned Node that says it is an older one, for machines that have no other. */
const pretender = [
  process.execPath,
  "--import",
  "data:text/javascript,Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.0.0' } })",
];
const older = [...(process.env.PATH ?? "").split(":").map((folder) => `${folder}/node`), "/usr/bin/node"].find(
  (path) => majorOf(path) < 26,
);
const nodes = [{ name: "a pretended Node 20", command: pretender }];
if (older !== undefined) nodes.unshift({ name: older, command: [older] });

describe.each(nodes)("chaya started by $name", ({ command }) => {
  it("runs on the pinned Node, which gets its words and gives its exit code", () => {
    const [program = "", ...words] = command;
    const run = (...args: readonly string[]) => spawnSync(program, [...words, chayaBin, ...args], { encoding: "utf8" });
    expect(run("version")).toMatchObject({ status: 0, stderr: "", stdout: expect.stringMatching(/\d+\.\d+\.\d+/) });
    expect(run("no-such-command")).toMatchObject({ status: 2, stdout: "" });
  });

  it("passes SIGTERM on and ends with the server's exit code", async () => {
    await using server = await startServerProcess({ command: [...command, chayaBin] });
    expect(await server.stop()).toBe(0);
  });

  it("takes the server with it when it is killed, as SIGTERM does: what is in flight finishes", async () => {
    const server = await startServerProcess({ command: [...command, chayaBin] });
    const [pid = 0, ...others] = childrenOf(server.child.pid ?? 0);
    expect(others).toEqual([]);
    try {
      const fnId = await deployCode(server.url, { app: "old", name: "fn", code: wildFunction });
      const { text } = await send(`${server.url}/invoke/${fnId}`, { pid: null });
      const file = join(server.data, "begun");
      const held = send(`${server.url}/invoke/${fnId}`, { note: { file, ms: 1_000 } });
      await until(() => existsSync(file) || undefined, "the start of the call");
      await server.crash();
      expect(await held).toMatchObject({ status: 200 });
      await until(() => !isAlive(pid) || undefined, "the end of the server");
      expect(isAlive(Number(text))).toBe(false);
    } finally {
      if (isAlive(pid)) process.kill(pid, "SIGKILL");
      await server[Symbol.asyncDispose]();
    }
  });

  it("gives its functions no descriptor of their bond", async () => {
    await using server = await startServerProcess({ command: [...command, chayaBin] });
    const fnId = await deployCode(server.url, { app: "old", name: "fn", code: wildFunction });
    const environment = JSON.parse((await send(`${server.url}/invoke/${fnId}`, { environment: null })).text);
    expect(Object.keys(environment).filter((name) => name.startsWith("NODE_"))).toEqual([]);
    const instance = Number((await send(`${server.url}/invoke/${fnId}`, { pid: null })).text);
    const [pid = 0] = childrenOf(server.child.pid ?? 0);
    const servers = new Set(descriptorsOf(pid));
    const shared = descriptorsOf(instance).filter((target) => /^(socket|pipe):/.test(target) && servers.has(target));
    expect(shared).toEqual([]);
  });
});

/** Infinity: no Node there. */
function majorOf(path: string): number {
  const run = spawnSync(path, ["--version"], { encoding: "utf8" });
  return run.status === 0 ? Number(/^v(\d+)/.exec(run.stdout)?.[1]) : Number.POSITIVE_INFINITY;
}

function descriptorsOf(pid: number): readonly string[] {
  return readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
}
