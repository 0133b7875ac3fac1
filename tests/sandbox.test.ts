import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { limits } from "@chaya/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { installMsMax, requireToolchains } from "../scripts/toolchains.ts";
import { attackFunction } from "./attack-function.ts";
import { endedCall, logOf, send, until } from "./calls.ts";
import { deployCode } from "./deploy-code.ts";
import { isAlive, residentBytes } from "./processes.ts";
import { chayaBin, type ServerProcess, startServerProcess } from "./server-process.ts";

// Each attack is run twice: it must succeed in a plain process, or it proves nothing, and fail inside.

interface Outcome {
  readonly value?: unknown;
  readonly error?: string;
}

// Numbers of the tables for x86-64 and arm64, and arguments that succeed where nothing forbids them.
const calls: readonly (readonly [name: string, x64: number, arm64: number, ...rest: readonly string[]])[] = [
  ["unshare a user namespace", 272, 97, "0x10000000"],
  ["clone into a user namespace", 56, 220, "0x10000011", "0", "0", "0", "0"],
  ["be traced", 101, 117, "0", "0", "0", "0"],
  ["keep keys in the kernel", 250, 219, "0", "-3", "0"],
  ["handle page faults", 323, 282, "1"],
];

const marker = "a-secret-of-whoever-started-the-server";
const directory = mkdtempSync(join(tmpdir(), "chaya-sandbox-"));
chmodSync(directory, 0o777);
chmodSync(directory, 0o755);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** nobody: an ordinary user, without control groups and without the right to become another. */
const nobody = 65_534;
const isRoot = process.getuid?.() === 0;

let sandboxed: ServerProcess;
let plain: ServerProcess;
/** Deployed already, by server, name and limits. */
const functions = new Map<string, string>();

describe.each(isRoot ? ["root", "an ordinary user"] : ["an ordinary user"])(
  "with a server that runs as %s,",
  (user) => {
    beforeAll(async () => {
      requireToolchains("bwrap", "slirp4netns");
      functions.clear();
      [sandboxed, plain] = await Promise.all([startAs(user, "bwrap"), startAs(user, "none")]);
    }, installMsMax);
    afterAll(async () => {
      await Promise.all([sandboxed, plain].map((server) => server?.[Symbol.asyncDispose]()));
    });

    describe("a hostile function cannot", () => {
      it("spin for ever: it is ended at its timeout", async () => {
        expect(alone({ spin: 1_500 })).toEqual({ value: "spun" });
        const started = performance.now();
        expect((await call(sandboxed, { spin: 60_000 }, { timeout: 1 })).status).toBe(504);
        expect(performance.now() - started).toBeLessThan(10_000);
      });

      it("use one MiB of memory more than it has", async () => {
        expect(alone({ hoard: 129 })).toEqual({ value: 129 });
        expect(await inside({ hoard: 64 }, { memory: 128 })).toEqual({ value: 64 });
        const answer = await call(sandboxed, { hoard: 129 }, { memory: 128 });
        expect(answer.status).toBe(502);
        const record = await endedCall(sandboxed.url, answer.headers.get("fn-call-id") ?? "");
        expect(record).toMatchObject({ status: "failed", problem: { code: "function-out-of-memory" } });
      });

      it("start more processes than it may", async () => {
        expect(alone({ fork: 400 })).toEqual({ value: 400 });
        expect(await inside({ fork: 20 })).toEqual({ value: 20 });
        const { value } = await inside({ fork: 400 });
        expect(value).toBeGreaterThan(100);
        expect(value).toBeLessThan(limits.instanceProcessesMax);
      });

      it("fill a disk", async () => {
        const mebibytes = limits.instanceTemporaryBytesMax / 1024 ** 2 + 10;
        expect(alone({ fill: { directory, mebibytes } })).toEqual({ value: mebibytes });
        const large = { memory: 1024 };
        expect(await inside({ fill: { directory: "/tmp", mebibytes: 20 } }, large)).toEqual({ value: 20 });
        expect(await inside({ fill: { directory: "/tmp", mebibytes } }, large)).toEqual({ error: "ENOSPC" });
        expect(await inside({ fill: { directory: "/dev/shm", mebibytes } }, large)).toEqual({ error: "ENOSPC" });
        expect(await inside({ fill: { directory: "/run/chaya", mebibytes: 10 } }, large)).toEqual({ error: "ENOSPC" });
        for (const path of ["/", "/usr", "/etc", "/dev", "/function", "/run"])
          expect(await inside({ write: join(path, "mine") }), path).toEqual({
            error: expect.stringMatching(/EROFS|EACCES/),
          });
      });

      it("use up the memory of the machine with files in its temporary directory, not even with empty ones", async () => {
        const count = 80_000;
        expect(alone({ inodes: { directory: mkdtempSync(join(directory, "inodes-")), count } })).toEqual({
          value: count,
        });
        expect((await call(sandboxed, { fill: { directory: "/tmp", mebibytes: 200 } }, { memory: 128 })).status).toBe(
          502,
        );
        expect(
          (await call(sandboxed, { inodes: { directory: "/tmp", count } }, { memory: 64, timeout: 60 })).status,
        ).toBe(502);
      });

      it("open more files than it may", async () => {
        expect(alone({ descriptors: 5_000 })).toEqual({ value: 5_000 });
        expect(await inside({ descriptors: 500 })).toEqual({ value: 500 });
        expect(await inside({ descriptors: 5_000 })).toEqual({ error: "EMFILE" });
      });

      it("drown the server in output without an end of line", async () => {
        expect(alone({ flood: 64 })).toEqual({ value: 64 });
        const before = residentBytes(sandboxed.child.pid ?? 0);
        const answer = await call(sandboxed, { flood: 64 }, { timeout: 60 });
        expect(JSON.parse(answer.text)).toEqual({ value: 64 });
        expect(residentBytes(sandboxed.child.pid ?? 0) - before).toBeLessThan(96 * 1024 ** 2);
        const callId = answer.headers.get("fn-call-id") ?? "";
        await endedCall(sandboxed.url, callId);
        const lines = await logOf(sandboxed.url, callId);
        expect(Math.max(...lines.map(({ text }) => text.length))).toBeLessThanOrEqual(limits.logLineBytesMax + 64);
        expect(lines.reduce((sum, { text }) => sum + text.length, 0)).toBeLessThan(2 * limits.logBytesPerCallMax);
      });

      it("answer for another call, or half", async () => {
        expect(await inside({ twice: null })).toBe("one");
        expect(await inside({ echo: "mine" })).toEqual({ value: "mine" });
        const half = call(sandboxed, { raw: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf" });
        // Its head may be on its way already: then the answer is cut.
        expect([502, "cut"]).toContain(
          await half.then(
            ({ status }) => status,
            () => "cut",
          ),
        );
        expect((await call(sandboxed, { exit: 0 })).text).toContain("error receiving function response");
        expect(await inside({ echo: "still served" })).toEqual({ value: "still served" });
      });
    });

    describe("what a hostile function leaves behind is dead", () => {
      it("before its caller reads 504, though it left its parent, its group and its session", async () => {
        const mark = `escapee-${process.pid}-plain`;
        const controller = spawn(process.execPath, ["-e", attackFunction, JSON.stringify({ hang: mark })], {
          detached: true,
        });
        await until(() => marked(mark)[0], "the escapee");
        process.kill(-(controller.pid ?? 0), "SIGKILL");
        await new Promise((resolve) => controller.once("exit", resolve));
        expect(marked(mark).length).toBe(1);
        for (const pid of marked(mark)) process.kill(pid, "SIGKILL");

        for (const [server, name] of [
          [sandboxed, "inside"],
          [plain, "outside"],
        ] as const) {
          const hung = `escapee-${process.pid}-${name}`;
          const answer = call(server, { hang: hung }, { timeout: 2 });
          await until(() => marked(hung)[0], "the escapee");
          expect((await answer).status).toBe(504);
          expect(marked(hung)).toEqual([]);
        }
      });

      it("when it ends by itself", async () => {
        const mark = `escapee-${process.pid}-exit`;
        expect(await inside({ daemonise: mark })).toEqual({ value: "daemonised" });
        expect(marked(mark).length).toBe(1);
        expect((await call(sandboxed, { exit: 0 })).status).toBe(502);
        expect(marked(mark)).toEqual([]);
      });

      it("when its server is killed; without a sandbox at the latest when the next server starts", async () => {
        for (const sandbox of ["bwrap", "none"]) {
          const mark = `escapee-${process.pid}-crash-${sandbox}`;
          const data = newDirectory(user);
          await using server = await startAs(user, sandbox, data);
          const fnId = await deployCode(server.url, { app: "doomed", name: "fn", code: attackFunction });
          await send(`${server.url}/invoke/${fnId}`, { daemonise: mark });
          const pids = marked(mark);
          expect(pids.length).toBe(1);
          await server.crash();
          if (sandbox === "none") await (await startAs(user, sandbox, data))[Symbol.asyncDispose]();
          await until(() => (pids.some(isAlive) ? undefined : true), "the end of the escapee", 2_000);
        }
      });
    });

    describe("a hostile function does not see or reach", () => {
      it("the environment of any process but its own", async () => {
        expect((await outside({ environments: null })).value).toContain(marker);
        const { value } = await inside({ environments: null });
        expect(value).not.toContain(marker);
        const { value: pids } = await inside({ pids: null });
        expect(pids).toContain(1);
        expect(pids).not.toContain(process.pid);
      });

      it("the data directory, other functions or files of whoever runs the server", async () => {
        const secret = join(directory, "secret");
        writeFileSync(secret, marker);
        const paths = [sandboxed.data, join(sandboxed.data, "bundles"), join(sandboxed.data, "instances"), directory];
        for (const path of paths) {
          expect(await outside({ list: path }), path).toHaveProperty("value");
          expect(await inside({ list: path }), path).toEqual({ error: "ENOENT" });
        }
        for (const path of [secret, "/etc/shadow", "/etc/hostname"].filter(existsSync)) {
          if (path !== "/etc/shadow" || user === "root")
            expect(await outside({ read: path }), path).toHaveProperty("value");
          expect(await inside({ read: path }), path).toEqual({ error: "ENOENT" });
        }
        // The directory that leads to Node stands there, and nothing else is in it.
        for (const path of ["/root", "/home", "/var", "/sys", "/mnt"].filter(existsSync))
          expect((await inside({ list: path })).error ?? (await inside({ list: path })).value, path).toEqual(
            expect.toSatisfy((found: unknown) => found === "ENOENT" || (Array.isArray(found) && found.length <= 1)),
          );
      });

      it("sockets of this machine: a container engine, the control port, other machines, the metadata address", async () => {
        const engine = join(directory, "docker.sock");
        await using listening = await listen(engine);
        chmodSync(engine, 0o777);
        expect(await outside({ socket: listening.path })).toEqual({ value: "connected" });
        expect(await inside({ socket: listening.path })).toEqual({ error: "ENOENT" });
        expect(await inside({ socket: "/var/run/docker.sock" })).toEqual({ error: "ENOENT" });

        const control = `${sandboxed.url}/v2/apps`;
        expect(await outside({ get: control })).toEqual({ value: 200 });
        expect(await inside({ get: control })).toEqual({ error: "ECONNREFUSED" });

        const address = ownAddress();
        await using other = await listen({ host: address, port: 0 });
        expect(await outside({ reach: other.address })).toEqual({ value: "reached" });
        expect(await inside({ reach: other.address })).toEqual({ error: "ENETUNREACH" });
        expect(await inside({ reach: { host: "169.254.169.254", port: 80 } })).toEqual({ error: "ENETUNREACH" });
      });

      it("this machine's loopback or a cloud's metadata, though it was given a network", async () => {
        const network = { name: "outbound", network: "outbound" };
        // Machines without udev keep the device to root.
        if (user !== "root" && (statSync("/dev/net/tun").mode & 0o006) === 0) {
          const { text } = await call(sandboxed, { echo: 1 }, network);
          return expect(text).toContain("outbound needs /dev/net/tun, which the server's user may not use");
        }
        await using other = await listen({ host: ownAddress(), port: 0 });
        expect(await inside({ reach: other.address }, network)).toEqual({ value: "reached" });
        for (const host of ["127.0.0.1", "10.0.2.2", "localhost"])
          expect((await inside({ reach: { host, port: Number(new URL(sandboxed.url).port) } }, network)).error).toMatch(
            /^(ECONNREFUSED|ENETUNREACH|EHOSTUNREACH|no answer)?$/,
          );
        expect((await inside({ reach: { host: "169.254.169.254", port: 80 } }, network)).error).toMatch(/UNREACH/);
      });

      it("processes: it kills neither its siblings nor the server", async () => {
        const as = becomesNobody(user) ? { uid: nobody } : {};
        const victims = [1, 2].map(() => spawn("/bin/sleep", ["600"], { stdio: "ignore", ...as }));
        const pids = victims.map(({ pid }) => pid ?? 0);
        expect(await inside({ kill: { pid: pids[0], signal: "SIGKILL" } })).toEqual({ error: "ESRCH" });
        expect((await call(sandboxed, { kill: { pid: -1, signal: "SIGKILL" } })).status).toBeGreaterThanOrEqual(200);
        expect(pids.map(isAlive)).toEqual([true, true]);
        expect(await outside({ kill: { pid: pids[1], signal: "SIGKILL" } })).toEqual({ value: true });
        await until(() => (isAlive(pids[1] ?? 0) ? undefined : true), "the end of the victim");
        victims[0]?.kill("SIGKILL");
        expect(await inside({ echo: "the server lives" })).toEqual({ value: "the server lives" });
      });

      it("what the kernel keeps for administrators", async () => {
        const { value: status } = await inside({ status: null });
        expect(status).toMatch(/^CapEff:\s+0+$/m);
        expect(status).toMatch(/^CapPrm:\s+0+$/m);
        expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
        expect(status).toMatch(/^Seccomp:\s+2$/m);
        expect(status).not.toMatch(/^Uid:\s+0/m);
        expect((await inside({ write: "/proc/sys/kernel/core_pattern" })).error).toMatch(/EROFS|EACCES/);
        expect((await inside({ write: "/proc/sysrq-trigger" })).error).toMatch(/EROFS|EACCES|ENOENT/);
      });
    });

    describe("a hostile function's system calls", () => {
      it.each(calls)("that %s are refused", async (_name, x64, arm64, ...rest) => {
        const words = [String(process.arch === "arm64" ? arm64 : x64), ...rest];
        expect(alone({ system: words })).toEqual({ value: "ok" });
        expect(await inside({ system: words })).toEqual({ error: "E1" });
      });
    });

    describe("what a hostile function changes", () => {
      it("is not its code: the next instance starts from what was deployed", async () => {
        const { value: own } = await inside({ own: null });
        const { value: open } = await outside({ own: null });
        expect(await outside({ write: open })).toEqual({ value: "written" });
        expect(await inside({ write: own })).toEqual({ error: "EROFS" });
        expect(await inside({ write: join(String(own), "../more.js") })).toEqual({ error: "EROFS" });
      });

      it("in its memory is seen by no other function and by no later instance", async () => {
        const patched = [true, "mine", "mine"];
        expect(alone({ patch: null }, { patched: null })).toEqual({ value: patched });
        expect(await inside({ patch: null })).toEqual({ value: "patched" });
        expect(await inside({ patched: null })).toEqual({ value: patched });
        const clean = { value: [null, null, null] };
        expect(await inside({ patched: null }, { name: "neighbour" })).toEqual(clean);
        await call(sandboxed, { exit: 0 });
        expect(await inside({ patched: null })).toEqual(clean);
      });
    });
  },
);

async function startAs(user: string, sandbox: string, data = newDirectory(user)): Promise<ServerProcess> {
  const environment = { MARKER_OF_THE_SERVER: marker };
  const options = { arguments: ["--sandbox", sandbox], environment, data };
  if (!becomesNobody(user)) return startServerProcess(options);
  const as = ["/usr/bin/setpriv", `--reuid=${nobody}`, `--regid=${nobody}`, "--clear-groups", process.execPath];
  const server = await startServerProcess({ ...options, command: [...as, chayaBin] });
  // Without authentication a server listens to its own user only.
  const [program = "", ...words] = [...as, "-e", relay, new URL(server.url).port];
  const relaying = spawn(program, words, { stdio: ["ignore", "pipe", "inherit"] });
  const [port] = await once(relaying.stdout.setEncoding("utf8"), "data");
  return {
    ...server,
    url: `http://127.0.0.1:${String(port).trim()}`,
    [Symbol.asyncDispose]: async () => {
      relaying.kill();
      await server[Symbol.asyncDispose]();
    },
  };
}

function becomesNobody(user: string): boolean {
  return isRoot && user !== "root";
}

/** That the user owns. */
function newDirectory(user: string): string {
  const path = mkdtempSync(join(directory, "data-"));
  if (becomesNobody(user)) chownSync(path, nobody, nobody);
  return path;
}

const relay = `
const net = require("node:net");
const server = net.createServer((client) => {
  const other = net.connect(Number(process.argv[1]), "127.0.0.1");
  client.pipe(other).pipe(client);
  for (const [one, two] of [[client, other], [other, client]]) one.on("error", () => two.destroy());
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
`;

interface Limits {
  readonly name?: string;
  readonly memory?: number;
  readonly timeout?: number;
  readonly network?: string;
}

/** In a process of its own that nothing holds; the outcome of the last command. */
function alone(...commands: readonly object[]): Outcome {
  const words = ["-e", attackFunction, ...commands.map((command) => JSON.stringify(command))];
  const { stdout } = spawnSync(process.execPath, words, {
    encoding: "utf8",
    maxBuffer: 128 * 1024 ** 2,
    env: { PATH: process.env.PATH },
  });
  return JSON.parse(stdout.slice(stdout.lastIndexOf('{"')));
}

async function inside(command: object, limited: Limits = {}): Promise<Outcome> {
  return answerOf(await call(sandboxed, command, limited));
}

async function outside(command: object): Promise<Outcome> {
  return answerOf(await call(plain, command));
}

function answerOf({ status, text }: { readonly status: number; readonly text: string }): Outcome {
  expect(status, text).toBe(200);
  return JSON.parse(text);
}

async function call(server: ServerProcess, command: object, limited: Limits = {}) {
  const { name = "fn", memory = 256, timeout = 30, network } = limited;
  const annotations = network === undefined ? {} : { "chaya/network": network };
  const key = `${server.url} ${name} ${memory} ${timeout}`;
  const deployed = {
    app: "attack",
    name: `${name}-${memory}-${timeout}`,
    code: attackFunction,
    annotations,
    memory,
    timeout,
  };
  const fnId = functions.get(key) ?? (await deployCode(server.url, deployed));
  functions.set(key, fnId);
  return send(`${server.url}/invoke/${fnId}`, command);
}

/** Living processes that call themselves so, anywhere on this machine. */
function marked(mark: string): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && isAlive(Number(name)))
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, "utf8").startsWith(mark);
      } catch {
        return false;
      }
    })
    .map(Number);
}

async function listen(where: string | { readonly host: string; readonly port: number }) {
  const server: Server = createServer((socket) => socket.end());
  await new Promise<void>((resolve) => server.listen(where, resolve));
  const bound = server.address();
  const path = typeof bound === "string" ? bound : "";
  const address = typeof bound === "object" && bound !== null ? { host: bound.address, port: bound.port } : undefined;
  return { path, address, [Symbol.asyncDispose]: async () => void server.close() };
}

/** Another machine would have one like it. */
function ownAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return addresses.find(({ family, internal }) => family === "IPv4" && !internal)?.address ?? "127.0.0.1";
}
