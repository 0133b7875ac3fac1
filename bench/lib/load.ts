// Load by wrk, CPU from /proc: what a run cost the program under measurement.
import { spawn } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { needTools, type Program, pinned, temporaryDirectory } from "./tools.ts";

export interface LoadOptions {
  readonly connections: number;
  readonly seconds: number;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly path?: string;
}

export interface LoadResult {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly errors: number;
  /** Time of processor the program used, per request. */
  readonly cpuUsPerRequest: number;
}

export async function load(program: Pick<Program, "url" | "pids">, options: LoadOptions): Promise<LoadResult> {
  needTools("wrk");
  const script = join(temporaryDirectory("wrk"), "load.lua");
  writeFileSync(script, wrkScript(options));
  const url = options.path === undefined ? program.url : new URL(options.path, program.url).href;
  const cpuBefore = cpuUs(program.pids());
  const amount = ["-t1", `-c${options.connections}`, `-d${options.seconds}s`];
  const output = await run(...pinned("load", "wrk", [...amount, "--timeout", "30s", "-s", script, url]));
  const cpuAfter = cpuUs(program.pids());
  const line = /RESULT (.*)/.exec(output)?.[1];
  if (line === undefined) throw new Error(`wrk gave no result: ${output}`);
  const [requests = 0, durationUs = 1, p50Us = 0, p99Us = 0, errors = 0] = line.split(" ").map(Number);
  return {
    requestsPerSecond: requests / (durationUs / 1e6),
    p50Ms: p50Us / 1000,
    p99Ms: p99Us / 1000,
    errors,
    cpuUsPerRequest: (cpuAfter - cpuBefore) / Math.max(1, requests),
  };
}

function wrkScript({ body = "x".repeat(100), headers = {} }: LoadOptions): string {
  const lines = Object.entries(headers).map(([name, value]) => `wrk.headers["${name}"] = ${JSON.stringify(value)}`);
  return `wrk.method = "POST"
wrk.body = "${body}"
wrk.headers["Content-Type"] = "application/json"
${lines.join("\n")}
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %d %d %d\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
`;
}

/** Time on a processor of all threads of the processes, in µs. The scheduler's own count: ticks would miss short runs. */
export function cpuUs(pids: readonly number[]): number {
  let ns = 0;
  for (const pid of pids)
    for (const task of readdirSync(`/proc/${pid}/task`))
      ns += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]);
  return ns / 1000;
}

function run(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.once("error", reject);
    child.once("close", () => resolve(output));
  });
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** One line of a report: what was measured, the figure, the target and whether it was met. */
export function verdict(what: string, figure: string, target: string, isMet: boolean): void {
  console.log(`${isMet ? "✓" : "✗"} ${what}: ${figure} (target ${target})`);
}
