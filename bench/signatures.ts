// What a signature costs: the verification alone, and a warm call of npm's stock FDK with one and without.
import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { createAuthenticate } from "../packages/server/src/access/authenticate.ts";
import type { Authenticate } from "../packages/server/src/http/authenticate.ts";
import { systemClock } from "../packages/server/src/kernel/clock.ts";
import { silentLogger } from "../packages/server/src/kernel/logger.ts";
import { systemRandom } from "../packages/server/src/kernel/random.ts";
import { MemoryAccessDirectory } from "../packages/server/src/testing/memory-access-directory.ts";
import {
  addSigner,
  type SignableRequest,
  type SigningKey,
  signedRequest,
} from "../packages/server/src/testing/signing-client.ts";
import { deployFunction, fdkFolder } from "./lib/deploy.ts";
import { latencies } from "./lib/latency.ts";
import { type LoadResult, load, median, percentile, verdict } from "./lib/load.ts";
import { seedSigner } from "./lib/seed-signer.ts";
import { type Chaya, startChaya } from "./lib/tools.ts";

const body = "x".repeat(100);
const rounds = 10;
const callsPerRound = 500;
const loadRounds = 4;

verifications();
await calls();

function verifications(): void {
  const directory = new MemoryAccessDirectory();
  const deps = { clock: systemClock(), logger: silentLogger(), random: systemRandom(), directory };
  const authenticate = createAuthenticate({ ...deps, verifyResourceToken: () => undefined });
  const key = addSigner(directory, "bench");
  const requests = Array.from({ length: 1_000 }, (_, index) => incoming(sign(key, `/invoke/${index}`, "localhost")));
  judge(authenticate, requests);
  const measured = Array.from({ length: rounds }, () => judge(authenticate, requests));
  const cpuUs = median(measured);
  verdict("CPU per verification", `${cpuUs.toFixed(1)} µs`, "≤ 60 µs", cpuUs <= 60);
}

/** µs of this process's CPU for each. */
function judge(authenticate: Authenticate, requests: readonly IncomingMessage[]): number {
  const before = process.cpuUsage();
  for (const request of requests)
    if (authenticate(request, { route: {}, peer: "" }) === undefined) throw new Error("nobody signed");
  const { user, system } = process.cpuUsage(before);
  return (user + system) / requests.length;
}

async function calls(): Promise<void> {
  const first = await startChaya();
  await first.stop();
  const key = seedSigner(first.data);
  const chaya = await startChaya({ data: first.data });
  try {
    const id = await deployFunction(chaya.url, {
      app: "bench",
      name: "hot",
      folder: fdkFolder(`require("@fnproject/fdk").handle((input) => ({ message: "hello" }));`),
      entrypoint: ["node", "func.js"],
      annotations: { "chaya/max-instances": 4 },
    });
    await latency(chaya, key, `/invoke/${id}`);
    await throughput(chaya, key, `/invoke/${id}`);
  } finally {
    await chaya.stop();
  }
}

/** One call after the other: what it feels like to whoever waits. */
async function latency(chaya: Chaya, key: SigningKey, path: string): Promise<void> {
  const target = { host: "127.0.0.1", port: Number(new URL(chaya.url).port) };
  const measured = { signed: [] as number[], unsigned: [] as number[] };
  for (let round = 0; round <= rounds; round++) {
    const signed = { path, headers: added(sign(key, path, "localhost")) };
    const unsignedMs = await latencies(target, { path }, callsPerRound);
    const signedMs = await latencies(target, signed, callsPerRound);
    if (round === 0) continue;
    measured.unsigned.push(...unsignedMs);
    measured.signed.push(...signedMs);
  }
  const [signedMs, unsignedMs] = [percentile(measured.signed, 0.5), percentile(measured.unsigned, 0.5)];
  console.log(`one connection: p50 ${signedMs.toFixed(3)} ms signed, ${unsignedMs.toFixed(3)} ms unsigned`);
  const ratio = signedMs / unsignedMs;
  verdict("warm signed call against unsigned", `${ratio.toFixed(2)} ×`, "≤ 1.3 ×", ratio <= 1.3);
}

/** Hot calls, as `hot-function` makes them. */
async function throughput(chaya: Chaya, key: SigningKey, path: string): Promise<void> {
  const { host } = new URL(chaya.url);
  const options = { connections: 16, seconds: 3, path, body };
  const measured = { unsigned: [] as LoadResult[], signed: [] as LoadResult[] };
  await load(chaya, options);
  for (let round = 0; round < loadRounds; round++) {
    measured.unsigned.push(await load(chaya, options));
    const headers = Object.fromEntries(pairs(sign(key, path, host)));
    measured.signed.push(await load(chaya, { ...options, headers }));
  }
  for (const [name, results] of Object.entries(measured)) {
    const figure = (of: keyof LoadResult) => median(results.map((result) => result[of]));
    console.log(
      `16 connections, ${name}: ${figure("requestsPerSecond").toFixed(0)} calls/s  p50 ${figure("p50Ms")} ms  ` +
        `${figure("cpuUsPerRequest").toFixed(0)} µs CPU/call  errors ${figure("errors")}`,
    );
  }
}

function sign(key: SigningKey, target: string, host: string): SignableRequest {
  return signedRequest(key, { method: "POST", target, host, atMs: Date.now(), body });
}

/** The headers that a client does not send anyway. */
function pairs({ headers }: SignableRequest): (readonly [string, string])[] {
  return headers.filter(([name]) => !["Host", "Content-Length", "Content-Type"].includes(name));
}

function added(request: SignableRequest): string {
  return pairs(request)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("");
}

/** As the server's parser hands it on. */
function incoming({ method, target, headers }: SignableRequest): IncomingMessage {
  const request = new IncomingMessage(new Socket());
  request.method = method;
  request.url = target;
  request.rawHeaders = headers.flat();
  request.headers = Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value]));
  return request;
}
