// Hot calls of a function of npm's stock FDK at 16 connections. Fn's own server was measured once on such a machine
// (1,400 calls/s); it needs a container engine, so that figure is a constant here, not part of this run.
import { deployFunction, fdkFolder } from "./lib/deploy.ts";
import { load, verdict } from "./lib/load.ts";
import { startChaya } from "./lib/tools.ts";

const fnServerCallsPerSecond = 1_400;
const chaya = await startChaya();
try {
  const id = await deployFunction(chaya.url, {
    app: "bench",
    name: "hot",
    folder: fdkFolder(`require("@fnproject/fdk").handle((input) => ({ message: "hello" }));`),
    entrypoint: ["node", "func.js"],
    annotations: { "chaya/max-instances": 4 },
  });
  const path = `/invoke/${id}`;
  await load(chaya, { connections: 16, seconds: 3, path, body: "{}" });
  const result = await load(chaya, { connections: 16, seconds: 10, path, body: "{}" });
  console.log(
    `${result.requestsPerSecond.toFixed(0)} calls/s  p50 ${result.p50Ms} ms  p99 ${result.p99Ms} ms  errors ${result.errors}`,
  );
  const ratio = result.requestsPerSecond / fnServerCallsPerSecond;
  verdict("against Fn's recorded 1,400/s", `${ratio.toFixed(1)} ×`, "≥ 5 ×", ratio >= 5);
  verdict("p99", `${result.p99Ms.toFixed(1)} ms`, "≤ 20 ms", result.p99Ms <= 20);
} finally {
  await chaya.stop();
}
