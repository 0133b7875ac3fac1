import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { chayaBin, repository, startServerProcess } from "./server-process.ts";

describe("the server as a process", () => {
  it("prints the ready line and where the data is, and answers there", async () => {
    await using server = await startServerProcess();
    const lines = server.output().split("\n");
    const ready = lines.findIndex((line) => line.startsWith("Chaya is ready"));
    expect(lines[ready]).toBe(`Chaya is ready at ${server.url}`);
    expect(lines[ready + 1]).toContain(server.data);
    expect(await (await fetch(`${server.url}/healthz`)).text()).not.toBe("");
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
    expect(await (await fetch(`${server.url}/version`)).json()).toHaveProperty("version");
    expect(await (await fetch(`${server.url}/openapi.json`)).json()).toMatchObject({ openapi: "3.1.0" });
    expect(await (await fetch(`${server.url}/metrics`)).text()).toMatch(/^# HELP/m);
  });

  it("refuses a second server on the same directory with a sentence and exit code 2", async () => {
    await using server = await startServerProcess();
    const second = runChaya(["start", "--port", "0", "--data", server.data]);
    expect(second.stderr).toContain("Another server uses the data directory");
    expect(second.status).toBe(2);
  });

  it("refuses a host beyond loopback with a sentence", () => {
    const refused = runChaya(["start", "--host", "0.0.0.0", "--data", join(tmpdir(), "chaya-never")]);
    expect(refused.stderr).toMatch(/no authentication/);
    expect(refused.status).toBe(2);
  });

  it("says so when the port is taken", async () => {
    await using server = await startServerProcess();
    const data = mkdtempSync(join(tmpdir(), "chaya-port-"));
    const refused = runChaya(["start", "--port", new URL(server.url).port, "--data", data]);
    rmSync(data, { recursive: true, force: true });
    expect(refused.stderr).toMatch(/in use|taken/);
    expect(refused.status).not.toBe(0);
  });

  it("ends with code 0 on SIGTERM although a client keeps its connection open", async () => {
    await using server = await startServerProcess();
    const idle = connect(Number(new URL(server.url).port), "127.0.0.1");
    await new Promise((resolve) => idle.once("connect", resolve));
    expect(await server.stop()).toBe(0);
    idle.destroy();
  });

  it("ignores CHAYA_ variables it does not know", async () => {
    await using server = await startServerProcess({ environment: { CHAYA_TEA: "green" } });
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
  });

  it("runs the pinned Node when an older one starts the command", () => {
    const old = ["/usr/bin/node", "/usr/local/bin/node"].find((path) => nodeMajor(path) < 26);
    // Machines whose only Node is the pinned one have nothing to hand over from.
    const node = old ?? process.execPath;
    const run = spawnSync(node, [chayaBin, "version"], { encoding: "utf8", cwd: repository });
    expect(run.stderr).toBe("");
    expect(run.stdout).toMatch(/\d+\.\d+\.\d+/);
  });
});

function runChaya(args: readonly string[]): { status: number | null; stderr: string } {
  return spawnSync(process.execPath, [chayaBin, ...args], { encoding: "utf8", timeout: 20_000 });
}

function nodeMajor(path: string): number {
  const run = spawnSync(path, ["--version"], { encoding: "utf8" });
  return run.status === 0 ? Number(/^v(\d+)/.exec(run.stdout)?.[1]) : Number.POSITIVE_INFINITY;
}
