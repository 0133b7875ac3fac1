// Cold starts as a client sees them: the first call of functions that never ran, each with code of its own, from the
// first byte of the request to the last of the answer. One after the other, then ten a second; without a sandbox and in
// bubblewrap; beside what a bare `node func.js` takes in the same run. Then a hundred at once.
//   usage: node bench/cold-start.ts [SEQUENTIAL=200] [SECONDS=60]
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { writeFreshFunction } from "../packages/cli/src/boilerplates/fresh-function.ts";
import { cliBundle } from "./lib/cli-bundle.ts";
import { deployBundle } from "./lib/deploy.ts";
import { cpuUs, percentile, verdict } from "./lib/load.ts";
import { type Chaya, pause, repository, startChaya, temporaryDirectory } from "./lib/tools.ts";

const sequential = Number(process.argv[2] ?? 200);
const seconds = Number(process.argv[3] ?? 60);
const perSecond = 10;
const burst = 100;
/** A process that waits costs about 60 ms of a core: without a pause this would measure how fast they are made. */
const betweenMs = 100;
/** Of a second: what the server takes by itself. */
const quietCpuUsMax = 50_000;
/** In each function's code and in its answer. */
const marker = "@@000000@@";

interface Language {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  readonly p50MsMax: number;
  /** Of the second round, ten a second. */
  readonly hasRate: boolean;
}

const languages: readonly Language[] = [
  {
    name: "JavaScript",
    files: {
      "func.yaml": "schema_version: 20180708\nname: cold\nruntime: node\nentrypoint: node func.js\n",
      "func.js": `require("@fnproject/fdk").handle(() => "${marker}");\n`,
    },
    p50MsMax: 10,
    hasRate: true,
  },
  {
    name: "TypeScript",
    files: {
      "func.yaml": "schema_version: 20180708\nname: cold\nruntime: node\nentrypoint: node func.ts\n",
      "func.ts": `import { handle } from "@chaya/fdk";\nconst text: string = "${marker}";\nhandle(() => text);\n`,
      "package.json": '{"type":"module"}',
    },
    p50MsMax: 10,
    hasRate: true,
  },
  { name: "Python", files: await pythonFiles(), p50MsMax: 15, hasRate: true },
  {
    name: "330 modules",
    files: {
      "func.yaml": "schema_version: 20180708\nname: cold\nruntime: node\nentrypoint: node func.js\n",
      "func.js": `require("fastify");\nrequire("pg");\nrequire("@fnproject/fdk").handle(() => "${marker}");\n`,
    },
    p50MsMax: 70,
    hasRate: false,
  },
];

let lastFunction = 0;
const bareFolders = new Map<string, string>();
for (const language of languages) {
  const bundle = await template(language);
  const plainMs = await plainStarts(language);
  for (const sandbox of ["none", "bwrap"]) await measure(language, bundle, { sandbox, plainMs });
}
for (const sandbox of ["none", "bwrap"]) await measureBurst(sandbox);

async function measure(
  language: Language,
  bundle: Buffer,
  { sandbox, plainMs }: { readonly sandbox: string; readonly plainMs: number },
): Promise<void> {
  const server = await startChaya({ arguments: ["--sandbox", sandbox] });
  try {
    const functions = await deployMany(server, bundle, sequential);
    const one: number[] = [];
    let before = await starts(server);
    for (const fn of functions) {
      one.push(await firstCallMs(server, fn));
      await pause(betweenMs);
    }
    const name = `${language.name}, ${sandbox}`;
    const found = misses(before, await starts(server));
    console.log(`${name}: one after the other ${figures(one)}, ${found}; bare start ${plainMs.toFixed(0)} ms`);
    if (language.hasRate) {
      const more = await deployMany(server, bundle, perSecond * seconds);
      before = await starts(server);
      const rated = await callAtRate(server, more);
      const missed = misses(before, await starts(server));
      console.log(`${name}: ${perSecond} a second for ${seconds} s ${figures(rated)}, ${missed}`);
    }
    const p50 = percentile(one, 0.5);
    const figure = `${p50.toFixed(1)} ms (${(plainMs / p50).toFixed(1)} × sooner than bare)`;
    verdict(`cold start of ${name}, p50`, figure, `< ${language.p50MsMax} ms`, p50 < language.p50MsMax);
  } finally {
    await server.stop();
  }
}

async function callAtRate(server: Chaya, functions: readonly Deployed[]): Promise<number[]> {
  const calls: Promise<number>[] = [];
  const startedMs = performance.now();
  for (const [index, fn] of functions.entries()) {
    await pause(Math.max(0, startedMs + (index * 1000) / perSecond - performance.now()));
    calls.push(firstCallMs(server, fn));
  }
  return await Promise.all(calls);
}

/**
 * A hundred first calls at the same moment on connections that are open, against the rate at which this machine starts
 * bare processes.
 */
async function measureBurst(sandbox: string): Promise<void> {
  const [language] = languages;
  if (language === undefined) throw new Error("there is a first language");
  const limitMs = await bareBurst(language);
  const bundle = await template(language);
  const server = await startChaya({ arguments: ["--sandbox", sandbox] });
  try {
    const functions = await deployMany(server, bundle, burst);
    const calls = await Promise.all(functions.map(async (fn) => ({ fn, socket: await open(server) })));
    const probe = watchLoop(server);
    const before = await starts(server);
    const startedMs = performance.now();
    const ended = await Promise.all(
      calls.map(({ fn, socket }) => firstCallOn(socket, fn).then(() => performance.now() - startedMs)),
    );
    const stallMs = await probe.end();
    const at = [...ended].sort((a, b) => a - b);
    const [first = 0, tenth = 0, last = 0] = [at[0], at[9], at.at(-1)];
    const name = `burst of ${burst}, ${sandbox}`;
    console.log(`${name}: ${misses(before, await starts(server))}`);
    verdict(`${name}: first answer`, `${first.toFixed(1)} ms`, "≤ 15 ms", first <= 15);
    verdict(`${name}: ten answers`, `${tenth.toFixed(1)} ms`, "≤ 60 ms", tenth <= 60);
    const ratio = last / limitMs;
    const figure = `${last.toFixed(0)} ms (${ratio.toFixed(2)} × ${burst} bare starts, ${limitMs.toFixed(0)} ms)`;
    verdict(`${name}: all`, figure, "≤ 1.6 ×", ratio <= 1.6);
    verdict(`${name}: longest wait for /healthz`, `${stallMs.toFixed(1)} ms`, "≤ 20 ms", stallMs <= 20);
  } finally {
    await server.stop();
  }
}

interface Deployed {
  readonly id: string;
  readonly text: string;
}

/** Functions with code of their own that nobody has called. */
async function deployMany(server: Chaya, bundle: Buffer, count: number): Promise<readonly Deployed[]> {
  const deployed: Deployed[] = [];
  for (let index = 0; index < count; index++) {
    const text = `@@${String(++lastFunction).padStart(6, "0")}@@`;
    const code = Buffer.from(bundle.toString("latin1").replaceAll(marker, text), "latin1");
    const bytes = gzipSync(code, { level: 1 });
    const options = { app: "cold", name: `f${lastFunction}`, bytes, memory: 128, idleTimeoutS: 1 };
    deployed.push({ id: await deployBundle(server.url, options), text });
  }
  await calm(server);
  return deployed;
}

/** A deploy leaves something to do, such as the key pair of each function: waits until that is done. */
async function calm(server: Chaya): Promise<void> {
  for (let quietSeconds = 0; quietSeconds < 2; ) {
    const beforeUs = cpuUs([server.pid]);
    await pause(1_000);
    quietSeconds = cpuUs([server.pid]) - beforeUs < quietCpuUsMax ? quietSeconds + 1 : 0;
  }
}

/** The unpacked tar that `chaya deploy` would send. */
async function template(language: Language): Promise<Buffer> {
  const folder = temporaryDirectory("cold");
  for (const [name, text] of Object.entries(language.files)) writeFileSync(join(folder, name), text);
  linkModules(folder, language);
  return gunzipSync(await cliBundle(folder));
}

function linkModules(folder: string, language: Language): void {
  if (language.name !== "330 modules") return;
  symlinkSync(join(repository, "node_modules"), join(folder, "node_modules"));
}

async function firstCallMs(server: Chaya, fn: Deployed): Promise<number> {
  return await firstCallOn(await open(server), fn);
}

async function open(server: Chaya): Promise<Socket> {
  const { hostname, port } = new URL(server.url);
  const socket = connect({ host: hostname, port: Number(port) }).setNoDelay();
  await once(socket, "connect");
  return socket;
}

async function firstCallOn(socket: Socket, { id, text }: Deployed): Promise<number> {
  const startedMs = performance.now();
  socket.write(`POST /invoke/${id} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
  let answer = "";
  let lastMs = startedMs;
  for await (const chunk of socket.setEncoding("latin1")) {
    answer += chunk;
    lastMs = performance.now();
  }
  if (!answer.startsWith("HTTP/1.1 200") || !answer.includes(text)) throw new Error(`unexpected answer: ${answer}`);
  return lastMs - startedMs;
}

/** What the loop of the server makes others wait: the longest of many questions that cost nothing. */
function watchLoop(server: Chaya): { end(): Promise<number> } {
  let isOver = false;
  const run = (async () => {
    const socket = await open(server);
    let longest = 0;
    while (!isOver) {
      const startedMs = performance.now();
      socket.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
      await once(socket, "data");
      longest = Math.max(longest, performance.now() - startedMs);
      await pause(2);
    }
    socket.destroy();
    return longest;
  })();
  return {
    end: () => {
      isOver = true;
      return run;
    },
  };
}

/** From spawn to the first answer of the same code, started by hand; the median of ten. */
async function plainStarts(language: Language): Promise<number> {
  const measured: number[] = [];
  for (let round = 0; round < 10; round++) measured.push(await bareStart(language));
  return percentile(measured, 0.5);
}

async function bareBurst(language: Language): Promise<number> {
  const startedMs = performance.now();
  let left = burst;
  const worker = async () => {
    while (left-- > 0) await bareStart(language);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return performance.now() - startedMs;
}

async function bareStart(language: Language): Promise<number> {
  const folder = bareFolder(language);
  const directory = temporaryDirectory("s");
  const listener = join(directory, "lsnr.sock");
  const startedMs = performance.now();
  const [program = "", ...args] = bareCommand(language);
  const child = spawn(program, args, {
    cwd: folder,
    stdio: "ignore",
    env: { FN_LISTENER: `unix:${listener}`, FN_FORMAT: "http-stream", PATH: process.env.PATH ?? "" },
  });
  while (!(await answers(listener))) await pause(0.2);
  const tookMs = performance.now() - startedMs;
  child.kill("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
  return tookMs;
}

/** The code as its author has it. */
function bareFolder(language: Language): string {
  const known = bareFolders.get(language.name);
  if (known !== undefined) return known;
  const folder = temporaryDirectory("bare");
  for (const [name, text] of Object.entries(language.files)) writeFileSync(join(folder, name), text);
  symlinkSync(join(repository, "node_modules"), join(folder, "node_modules"));
  bareFolders.set(language.name, folder);
  return folder;
}

function bareCommand(language: Language): readonly string[] {
  if (language.name === "Python") return ["python3", "func.py"];
  return [process.execPath, language.name === "TypeScript" ? "func.ts" : "func.js"];
}

function answers(listener: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path: listener });
    socket.once("error", () => resolve(false));
    socket.once("connect", () => {
      socket.write("POST /call HTTP/1.1\r\nHost: localhost\r\nFn-Call-Id: 1\r\nContent-Length: 0\r\n\r\n");
    });
    socket.once("data", () => {
      socket.destroy();
      resolve(true);
    });
  });
}

/** The function that `chaya init --runtime python` makes, with the marker in its answer. */
async function pythonFiles(): Promise<Readonly<Record<string, string>>> {
  const folder = temporaryDirectory("python");
  const names = await writeFreshFunction(folder, { name: "cold", runtime: "python", hasTrigger: false });
  return Object.fromEntries(
    names.map((name) => [name, readFileSync(join(folder, name), "utf8").replace('"Hello "', `"${marker}"`)]),
  );
}

function figures(ms: readonly number[]): string {
  const shares = [0.5, 0.95, 0.99].map((share) => `p${share * 100} ${percentile(ms, share).toFixed(1)}`);
  return `${shares.join("  ")} ms of ${ms.length}`;
}

/** Starts so far, by what they found. */
async function starts(server: Chaya): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const samples = text.matchAll(/^chaya_instance_starts_total\{found="([^"]+)"\} (\d+)/gm);
  return new Map([...samples].map(([, found = "", count]) => [found, Number(count)]));
}

/** Those that found no process waiting, by the reason. */
function misses(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): string {
  const missed = [...after].map(([found, count]) => [found, count - (before.get(found) ?? 0)] as const);
  const named = missed.filter(([found, count]) => found !== "ready" && count > 0);
  return named.length === 0 ? "no misses" : `misses: ${named.map(([found, count]) => `${count} ${found}`).join(", ")}`;
}
