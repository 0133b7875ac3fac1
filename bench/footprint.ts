// What the platform takes of memory: idle, with 10,000 functions, and whether 512 MB are enough for the README's tour.
// usage: node bench/footprint.ts [SECONDS idle; 300]
import { spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { verdict } from "./lib/load.ts";
import { pssOf, treeMemory } from "./lib/memory.ts";
import { makeMemoryGroup } from "./lib/memory-group.ts";
import { seedData } from "./lib/seed.ts";
import { type Chaya, type ChayaOptions, pause, repository, startChaya, temporaryDirectory } from "./lib/tools.ts";

const idleSeconds = Number(process.argv[2] ?? 300);
const functions = 10_000;
const greetings = ["Hello Chaya", "Hello TypeScript", "Hello Python", "Hello, bash!"];
const smallMachineBytes = 512e6;
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

await measureIdle();
await runTour();

async function measureIdle(): Promise<void> {
  const { data } = await seedData({ functions, calls: 0 });
  const withTwo = await startAlone({ arguments: ["--pre-started", "2"] });
  const withNone = await startAlone({ arguments: ["--pre-started", "0"] });
  const withFunctions = await startAlone({ data, arguments: ["--pre-started", "0"] });
  await pause(idleSeconds * 1000);
  const [two = 0, none = 0, full = 0] = [withTwo, withNone, withFunctions].map(report);
  const perFunction = ((await heapUsed(withFunctions)) - (await heapUsed(withNone))) / functions;
  for (const server of [withTwo, withNone, withFunctions]) await server.stop();
  verdict(`idle for ${idleSeconds} s, two processes wait`, megabytes(two), "≤ 120 MB", two <= 120e6);
  verdict(`idle for ${idleSeconds} s, none waits`, megabytes(none), "≤ 80 MB", none <= 80e6);
  verdict("heap of a registered function", `${perFunction.toFixed(0)} bytes`, "≤ 2,048 bytes", perFunction <= 2048);
  const grown = (full - none) / functions;
  verdict("memory of a registered function", `${grown.toFixed(0)} bytes`, "≤ 2,048 bytes", grown <= 2048);
}

/** With a copy of Node that no other process uses: pages that it shared with this one would count for half. */
function startAlone(options: ChayaOptions): Promise<Chaya> {
  const node = join(temporaryDirectory("node"), "node");
  copyFileSync(process.execPath, node);
  return startChaya({ ...options, node, entry: join(repository, "bench/lib/measured-server.mjs") });
}

function report({ pid }: Chaya): number {
  const tree = treeMemory(pid);
  for (const { words, pssBytes, ownBytes } of tree)
    console.log(
      `  ${megabytes(pssBytes).padStart(9)}, of which ${megabytes(ownBytes)} no file's: ${words.slice(0, 80)}`,
    );
  const total = pssOf(tree);
  console.log(`  ${megabytes(total).padStart(9)} together`);
  return total;
}

async function heapUsed({ pid, data }: Chaya): Promise<number> {
  const file = join(data, "heap-used");
  process.kill(pid, "SIGUSR2");
  while (!existsSync(file) || readFileSync(file, "utf8") === "") await pause(50);
  return Number(readFileSync(file, "utf8"));
}

/** The server, its functions and the commands, all inside. */
async function runTour(): Promise<void> {
  const group = makeMemoryGroup("chaya-bench-footprint", smallMachineBytes);
  const server = await startChaya({ below: group.below });
  let usedMost = 0;
  const watching = setInterval(() => {
    usedMost = Math.max(usedMost, group.usedBytes());
  }, 50);
  const isDone = await walk(server.url, group.below);
  clearInterval(watching);
  await server.stop();
  const figures = `${megabytes(usedMost)} used, ${megabytes(group.peakBytes())} with files, ${group.kills()} killed`;
  verdict(`the README's tour in ${megabytes(smallMachineBytes)}`, figures, "done", isDone && group.kills() === 0);
  await group.remove();
}

async function walk(url: string, below: readonly string[]): Promise<boolean> {
  const readme = readFileSync(join(repository, "README.md"), "utf8");
  const blocks = [...readme.matchAll(/<!-- test: [^>]+ -->\n```sh\n([\s\S]*?)```/g)].map(([, commands]) => commands);
  const script = `set -eu\n${blocks.join("").replaceAll("http://localhost:8080", url)}`;
  // Below the repository npx finds this checkout's chaya.
  const folder = join(repository, ".test-services", "footprint", String(process.pid));
  mkdirSync(folder, { recursive: true });
  const [program = "bash", ...words] = [...below, "bash", "-c", script];
  const env = { ...process.env, CHAYA_URL: url };
  const child = spawn(program, words, { cwd: folder, env, stdio: ["ignore", "pipe", "ignore"] });
  let output = "";
  child.stdout.on("data", (chunk) => (output += chunk));
  const code = await new Promise((resolve) => child.once("close", resolve));
  rmSync(folder, { recursive: true });
  const isDone = code === 0 && greetings.every((greeting) => output.includes(greeting));
  if (!isDone) console.log(output);
  return isDone;
}
