import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Answer, send, until } from "./calls.ts";
import { deployCode } from "./deploy-code.ts";
import { chayaBin, type ServerProcess, startServerProcess } from "./server-process.ts";
import { wildFunction } from "./wild-function.ts";

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

  it("takes a signal that is passed on a moment later for the same, and ends at once by a later one", async () => {
    await using server = await startServerProcess();
    const call = await callThatRuns(server, 1_000);
    const stopped = once(server.child, "exit");
    for (let copy = 0; copy < 2; copy++) server.child.kill("SIGINT");
    expect(await call.answer).toMatchObject({ status: 200 });
    await stopped;
    expect(server.child.exitCode).toBe(0);

    await using second = await startServerProcess();
    const cut = expect((await callThatRuns(second, 20_000)).answer).rejects.toThrow();
    const ended = once(second.child, "exit");
    second.child.kill("SIGINT");
    await new Promise((resolve) => setTimeout(resolve, 700));
    second.child.kill("SIGINT");
    await cut;
    await ended;
    expect(second.child.exitCode).toBe(130);
  });
});

function runChaya(args: readonly string[]): { status: number | null; stderr: string } {
  return spawnSync(process.execPath, [chayaBin, ...args], { encoding: "utf8", timeout: 20_000 });
}

/** Begins a call that takes so long; resolves once the function has it. */
async function callThatRuns(server: ServerProcess, ms: number): Promise<{ readonly answer: Promise<Answer> }> {
  const fnId = await deployCode(server.url, { app: "signals", name: "fn", code: wildFunction });
  const file = join(server.data, "begun");
  const answer = send(`${server.url}/invoke/${fnId}`, { note: { file, ms } });
  await until(() => existsSync(file) || undefined, "the start of the call");
  return { answer };
}
