// The programs a benchmark compares with: from Debian, or built here.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const repository = join(dirname(fileURLToPath(import.meta.url)), "../..");

const packages: Readonly<Record<string, string>> = {
  wrk: "wrk",
  nginx: "nginx-light",
  go: "golang-go",
};

/** Installs what is missing with apt-get (root on Debian); throws a sentence elsewhere. */
export function needTools(...names: readonly string[]): void {
  const missing = names.filter((name) => spawnSync("which", [name]).status !== 0);
  if (missing.length === 0) return;
  const wanted = missing.map((name) => packages[name] ?? name);
  spawnSync("apt-get", ["update", "-qq"], { stdio: "ignore" });
  const install = spawnSync("apt-get", ["install", "-y", "--no-install-recommends", ...wanted], { stdio: "ignore" });
  if (install.status !== 0) throw new Error(`Install ${wanted.join(", ")} first: apt-get could not.`);
}

const temporary: string[] = [];
process.once("exit", () => {
  for (const directory of temporary) rmSync(directory, { recursive: true, force: true });
});

/** Removed when the benchmark ends. */
export function temporaryDirectory(name: string): string {
  const directory = mkdtempSync(join(tmpdir(), `chaya-bench-${name}-`));
  temporary.push(directory);
  return directory;
}

export function buildGo(source: string, directory: string): string {
  const program = join(directory, source.replace(/\.go$/, ""));
  const build = spawnSync("go", ["build", "-o", program, join(repository, "bench/alternatives", source)], {
    env: { ...process.env, GO111MODULE: "off", GOCACHE: join(tmpdir(), "chaya-bench-go"), CGO_ENABLED: "0" },
    encoding: "utf8",
  });
  if (build.status !== 0) throw new Error(`go build ${source}: ${build.stderr}`);
  return program;
}

const serverCore = 0;
const loadCore = 1;

/** How to start a program on a core: whoever is measured has one for itself, and load and upstream have the other. */
export function onCore(core: "server" | "load"): readonly string[] {
  if (availableParallelism() < 2) return [];
  return ["taskset", "-c", String(core === "server" ? serverCore : loadCore)];
}

/** The pinned form of a command, for `spawn`. */
export function pinned(core: "server" | "load", command: string, args: readonly string[]): [string, string[]] {
  const [first = command, ...rest] = [...onCore(core), command, ...args];
  return [first, rest];
}

/** A program under measurement. */
export interface Program {
  readonly name: string;
  readonly url: string;
  /** Processes whose CPU time counts. */
  readonly pids: () => readonly number[];
  stop(): Promise<void>;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

export async function startNginx(socket: string): Promise<Program> {
  needTools("nginx");
  const directory = temporaryDirectory("nginx");
  const port = await freePort();
  writeFileSync(
    join(directory, "nginx.conf"),
    `user root; worker_processes 1; pid ${directory}/pid; error_log ${directory}/error.log; daemon off;
events { worker_connections 4096; }
http { access_log off; client_body_temp_path ${directory}; proxy_temp_path ${directory};
 fastcgi_temp_path ${directory}; uwsgi_temp_path ${directory}; scgi_temp_path ${directory};
 upstream function { server unix:${socket}; keepalive 128; }
 server { listen 127.0.0.1:${port}; location / { proxy_pass http://function; proxy_http_version 1.1;
  proxy_set_header Connection ""; proxy_request_buffering off; proxy_buffering off; } } }`,
  );
  const child = spawn(...pinned("server", "nginx", ["-c", join(directory, "nginx.conf")]), { stdio: "ignore" });
  const url = `http://127.0.0.1:${port}/`;
  await untilAnswers(url);
  return { name: "nginx", url, pids: () => withDescendants(child.pid), stop: () => stopped(child) };
}

export async function startGoProxy(socket: string): Promise<Program> {
  needTools("go");
  const port = await freePort();
  const program = buildGo("reverse-proxy.go", temporaryDirectory("go"));
  const child = spawn(...pinned("server", program, [`127.0.0.1:${port}`, socket]), {
    stdio: "ignore",
    env: { ...process.env, GOMAXPROCS: "1" },
  });
  const url = `http://127.0.0.1:${port}/`;
  await untilAnswers(url);
  return { name: "Go ReverseProxy", url, pids: () => withDescendants(child.pid), stop: () => stopped(child) };
}

/** The stub as a process of its own, for the alternatives to forward to. */
export async function startStub(program: string): Promise<{ readonly socket: string; stop(): Promise<void> }> {
  const directory = temporaryDirectory("stub");
  const socket = join(directory, "lsnr.sock");
  const child = spawn(...pinned("load", program, []), {
    stdio: "ignore",
    env: { ...process.env, FN_LISTENER: `unix:${socket}`, GOMAXPROCS: "1" },
  });
  while (!existsSync(socket)) await pause(10);
  return { socket, stop: () => stopped(child) };
}

export interface ChayaOptions {
  readonly data?: string;
  /** The Node that runs it, and its functions. */
  readonly node?: string;
  /** A program and its words, to which the server's are added. */
  readonly below?: readonly string[];
  readonly entry?: string;
  readonly arguments?: readonly string[];
  /** Keeps it to one core; only for functions that cost next to nothing, and that go to the other by themselves. */
  readonly isPinned?: boolean;
}

export interface Chaya extends Program {
  readonly data: string;
  readonly pid: number;
  /** From spawn to the ready line. */
  readonly readyMs: number;
  /** Resolves when the process has ended. */
  readonly exited: Promise<unknown>;
}

export async function startChaya(options: ChayaOptions = {}): Promise<Chaya> {
  const data = options.data ?? temporaryDirectory("data");
  mkdirSync(data, { recursive: true });
  const entry = options.entry ?? join(repository, "packages/cli/bin/chaya.mjs");
  const startedMs = performance.now();
  const [node = process.execPath, ...first] = [...(options.below ?? []), options.node ?? process.execPath];
  const args = [...first, entry, "start", "--port", "0", "--data", data, ...(options.arguments ?? [])];
  const command = options.isPinned ? pinned("server", node, args) : ([node, args] as const);
  const child = spawn(...command, { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const url = await new Promise<string>((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (chunk) => {
      text += chunk;
      const match = /Chaya is ready at (\S+)\n/.exec(text);
      if (match?.[1] !== undefined) resolve(match[1]);
    });
    child.once("exit", (code) => reject(new Error(`chaya ended with ${code} before it was ready`)));
  });
  const { pid } = child;
  if (pid === undefined) throw new Error("no pid");
  const readyMs = performance.now() - startedMs;
  return { name: "Chaya", url, data, pid, readyMs, exited, pids: () => [pid], stop: () => stopped(child) };
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function untilAnswers(url: string): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    try {
      await (await fetch(url, { method: "POST", body: "x" })).arrayBuffer();
      return;
    } catch {
      await pause(10);
    }
  }
  throw new Error(`${url} does not answer`);
}

function withDescendants(pid: number | undefined): number[] {
  if (pid === undefined) return [];
  const children = spawnSync("pgrep", ["-P", String(pid)], { encoding: "utf8" })
    .stdout.split("\n")
    .filter(Boolean);
  return [pid, ...children.map(Number)];
}

function stopped(child: ReturnType<typeof spawn>): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once("exit", () => resolve());
    child.kill("SIGTERM");
  });
}
