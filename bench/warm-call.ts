// What a warm call costs: ours, nginx and Go's reverse proxy in front of the same cheap upstream, interleaved in one run.
import { deployFunction } from "./lib/deploy.ts";
import { type LoadResult, load, median, verdict } from "./lib/load.ts";
import {
  buildGo,
  type Program,
  startChaya,
  startGoProxy,
  startNginx,
  startStub,
  temporaryDirectory,
} from "./lib/tools.ts";

const rounds = 3;
const seconds = 4;

const folder = temporaryDirectory("stub-code");
const stubProgram = buildGo("stub.go", folder);
const stub = await startStub(stubProgram);
const chaya = await startChaya();
const functionId = await deployFunction(chaya.url, {
  app: "bench",
  name: "stub",
  folder,
  entrypoint: ["./stub"],
  annotations: { "chaya/concurrency": 100, "chaya/capture": "off" },
});
const invokePath = `/invoke/${functionId}`;
const programs: readonly Pick<Program, "name" | "url" | "pids" | "stop">[] = [
  { ...chaya, url: new URL(invokePath, chaya.url).href },
  await startNginx(stub.socket),
  await startGoProxy(stub.socket),
];

const results = new Map<string, LoadResult[]>();
try {
  for (const program of programs) await load(program, { connections: 64, seconds: 2 });
  for (const connections of [1, 16, 64])
    for (let round = 0; round < rounds; round++)
      for (const program of programs)
        keep(`${program.name} ${connections}`, await load(program, { connections, seconds }));
} finally {
  for (const program of programs) await program.stop();
  await stub.stop();
}

for (const connections of [1, 16, 64])
  for (const { name } of programs) {
    const key = `${name} ${connections}`;
    const figures = [
      `${figure(key, "requestsPerSecond").toFixed(0)} calls/s`,
      `${figure(key, "cpuUsPerRequest").toFixed(1)} µs CPU/call`,
      `p50 ${figure(key, "p50Ms").toFixed(3)} ms`,
      `p99 ${figure(key, "p99Ms").toFixed(3)} ms`,
      `errors ${figure(key, "errors")}`,
    ];
    console.log(`${key.padEnd(20)} ${figures.join("  ")}`);
  }
const ratioTo = (name: string) => figure("Chaya 64", "cpuUsPerRequest") / figure(`${name} 64`, "cpuUsPerRequest");
verdict("CPU per call against nginx", `${ratioTo("nginx").toFixed(2)} ×`, "≤ 4 ×", ratioTo("nginx") <= 4);
verdict(
  "CPU per call against Go",
  `${ratioTo("Go ReverseProxy").toFixed(2)} ×`,
  "≤ 1 ×",
  ratioTo("Go ReverseProxy") <= 1,
);
const growth = figure("Chaya 64", "requestsPerSecond") / figure("Chaya 16", "requestsPerSecond");
verdict("throughput from 16 to 64 connections", `${growth.toFixed(2)} ×`, "≥ 0.95 ×", growth >= 0.95);

function keep(key: string, result: LoadResult): void {
  results.set(key, [...(results.get(key) ?? []), result]);
}

function figure(key: string, name: keyof LoadResult): number {
  return median((results.get(key) ?? []).map((result) => result[name]));
}
