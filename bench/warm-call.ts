// What a warm call costs: ours, nginx and Go's reverse proxy in front of the same cheap upstream, interleaved in one run;
// what it adds to the latency of the function's own socket; and what each feature of ours costs.
import { join } from "node:path";
import { deployFunction } from "./lib/deploy.ts";
import { latencies } from "./lib/latency.ts";
import { type LoadResult, load, median, percentile, verdict } from "./lib/load.ts";
import {
  buildGo,
  onCore,
  type Program,
  repository,
  startChaya,
  startGoProxy,
  startNginx,
  startStub,
  temporaryDirectory,
} from "./lib/tools.ts";

const rounds = 5;
const seconds = 3;
const latencyRounds = 10;
const callsPerLatencyRound = 1_000;
const connectionCounts = [1, 16, 64];
const features = ["records", "logs", "deadlines"];

const folder = temporaryDirectory("stub-code");
const stub = await startStub(buildGo("stub.go", folder));
const chaya = await startWarm("Chaya");
const programs: Target[] = [chaya];
const partial: Target[] = [];

const results = new Map<string, LoadResult[]>();
const throughChaya: number[] = [];
const direct: number[] = [];
try {
  // First, while nothing else runs on the server's core: whoever waits for one call at a time feels every other program.
  await load(chaya, { connections: 64, seconds: 3 });
  for (let round = 0; round < latencyRounds; round++) {
    const { hostname, port, pathname } = new URL(chaya.url);
    const target = { host: hostname, port: Number(port) };
    throughChaya.push(...(await latencies(target, { path: pathname }, callsPerLatencyRound)));
    direct.push(...(await latencies({ path: stub.socket }, { path: "/call" }, callsPerLatencyRound)));
  }
  programs.push(await startNginx(stub.socket), await startGoProxy(stub.socket));
  for (const feature of features) partial.push(await startWarm(`without ${feature}`, feature));
  for (const program of [...programs, ...partial]) await load(program, { connections: 64, seconds: 3 });
  for (const connections of connectionCounts) await measure(programs, connections);
  await measure([chaya, ...partial], 64);
} finally {
  for (const program of [...programs, ...partial]) await program.stop();
  await stub.stop();
}
report();

type Target = Pick<Program, "name" | "url" | "pids" | "stop">;

/** A server with the stub deployed. */
async function startWarm(name: string, without?: string): Promise<Target> {
  const entry = { entry: join(repository, "bench/lib/partial-server.ts"), arguments: ["--without", without ?? ""] };
  const server = await startChaya({ isPinned: true, ...(without === undefined ? {} : entry) });
  const functionId = await deployFunction(server.url, {
    app: "bench",
    name: "stub",
    folder,
    // Its instances come and go with the connections of the load: each moves itself.
    entrypoint: [...onCore("load"), "./stub"],
    annotations: { "chaya/concurrency": 100, "chaya/capture": "off" },
  });
  return { ...server, name, url: new URL(`/invoke/${functionId}`, server.url).href };
}

async function measure(targets: readonly Target[], connections: number): Promise<void> {
  for (let round = 0; round < rounds; round++)
    for (const target of targets) {
      const key = `${target.name} ${connections}`;
      results.set(key, [...(results.get(key) ?? []), await load(target, { connections, seconds })]);
    }
}

function figure(key: string, name: keyof LoadResult): number {
  return median((results.get(key) ?? []).map((result) => result[name]));
}

function report(): void {
  for (const key of results.keys()) {
    const figures = [
      `${figure(key, "requestsPerSecond").toFixed(0)} calls/s`,
      `${figure(key, "cpuUsPerRequest").toFixed(1)} µs CPU/call`,
      `p50 ${figure(key, "p50Ms").toFixed(3)} ms`,
      `p99 ${figure(key, "p99Ms").toFixed(3)} ms`,
      `errors ${figure(key, "errors")}`,
    ];
    console.log(`${key.padEnd(20)} ${figures.join("  ")}`);
  }
  const cpu = (name: string) => figure(`${name} 64`, "cpuUsPerRequest");
  for (const feature of features)
    console.log(`${feature} cost ${(cpu("Chaya") - cpu(`without ${feature}`)).toFixed(1)} µs CPU/call`);
  const toNginx = cpu("Chaya") / cpu("nginx");
  const toGo = cpu("Chaya") / cpu("Go ReverseProxy");
  verdict("CPU per call against nginx", `${toNginx.toFixed(2)} ×`, "≤ 4 ×", toNginx <= 4);
  verdict("CPU per call against Go", `${toGo.toFixed(2)} ×`, "≤ 1 ×", toGo <= 1);
  const growth = figure("Chaya 64", "requestsPerSecond") / figure("Chaya 16", "requestsPerSecond");
  verdict("throughput from 16 to 64 connections", `${growth.toFixed(2)} ×`, "≥ 0.95 ×", growth >= 0.95);
  const addedP50 = percentile(throughChaya, 0.5) - percentile(direct, 0.5);
  const addedP99 = percentile(throughChaya, 0.99) - percentile(direct, 0.99);
  verdict("added p50 at one connection", `${addedP50.toFixed(3)} ms`, "≤ 0.2 ms", addedP50 <= 0.2);
  verdict("added p99 at one connection", `${addedP99.toFixed(3)} ms`, "≤ 1 ms", addedP99 <= 1);
}
