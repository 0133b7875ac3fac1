// Detached calls: how many a second are accepted (durable before the 202), how soon they are dispatched, and what remains
// while a client changes records. Told relative to what this disk commits in the same run.

import { probeCommits } from "./lib/commit-probe.ts";
import { applicationId, deployFunction, fdkFolder } from "./lib/deploy.ts";
import { load, percentile, verdict } from "./lib/load.ts";
import { pause, startChaya } from "./lib/tools.ts";

const body = "x".repeat(1024);
const headers = { "Fn-Invoke-Type": "detached" };
const commits = probeCommits();
console.log(`commit probe: ${commits.toFixed(0)} single-row commits/s`);
const chaya = await startChaya();
try {
  const id = await deployFunction(chaya.url, {
    app: "bench",
    name: "detached",
    folder: fdkFolder(`require("@fnproject/fdk").handle(() => ({}), { inputMode: "buffer" });`),
    entrypoint: ["node", "func.js"],
    annotations: { "chaya/capture": "off", "chaya/max-instances": 2 },
  });
  const path = `/invoke/${id}`;
  await (await fetch(new URL(path, chaya.url), { method: "POST", body: "{}" })).text();
  const waits = await dispatchWaits(path, 300);
  const alone = await load(chaya, { connections: 64, seconds: 6, path, body, headers });
  console.log(`alone: ${alone.requestsPerSecond.toFixed(0)} accepted/s  p99 ${alone.p99Ms} ms  errors ${alone.errors}`);
  const beside = await withControlLoad(() => load(chaya, { connections: 64, seconds: 6, path, body, headers }));
  console.log(
    `beside 50 control changes/s: ${beside.requestsPerSecond.toFixed(0)} accepted/s  errors ${beside.errors}`,
  );
  const relative = alone.requestsPerSecond / commits;
  verdict(
    "accepted",
    `${alone.requestsPerSecond.toFixed(0)}/s (${relative.toFixed(2)} × the probe)`,
    "≥ 5,000/s when the disk commits ≥ 3,000/s",
    alone.requestsPerSecond >= 5_000 || commits < 3_000,
  );
  verdict("dispatch p50", `${percentile(waits, 0.5).toFixed(2)} ms`, "< 5 ms", percentile(waits, 0.5) < 5);
  verdict("dispatch p99", `${percentile(waits, 0.99).toFixed(2)} ms`, "< 25 ms", percentile(waits, 0.99) < 25);
  const share = beside.requestsPerSecond / alone.requestsPerSecond;
  verdict("beside control changes", `${(share * 100).toFixed(0)} %`, "≥ 80 %", share >= 0.8);
} finally {
  await chaya.stop();
}

/** From acceptance until an instance took the call, of calls made one after the other. */
async function dispatchWaits(path: string, count: number): Promise<number[]> {
  const ids: string[] = [];
  for (let index = 0; index < count; index++) {
    const answer = await fetch(new URL(path, chaya.url), { method: "POST", body, headers });
    ids.push(answer.headers.get("fn-call-id") ?? "");
    await answer.arrayBuffer();
  }
  await pause(1_000);
  const waits: number[] = [];
  for (const id of ids) {
    const record = await (await fetch(new URL(`/chaya/v1/calls/${id}`, chaya.url))).json();
    // The record's shape is the contract's CallView. Its `waitMs` begins only when the work is claimed.
    const { acceptedAt, startedAt } = record as { acceptedAt: string; startedAt: string };
    waits.push(Date.parse(startedAt) - Date.parse(acceptedAt));
  }
  return waits;
}

async function withControlLoad<T>(run: () => Promise<T>): Promise<T> {
  const appId = await applicationId(chaya.url, "bench");
  let isOver = false;
  let changes = 0;
  const changing = (async () => {
    while (!isOver) {
      const startedMs = performance.now();
      const answer = await fetch(`${chaya.url}/v2/apps/${appId}`, {
        method: "PUT",
        body: JSON.stringify({ annotations: { counter: ++changes } }),
      });
      await answer.arrayBuffer();
      await pause(Math.max(0, 20 - (performance.now() - startedMs)));
    }
  })();
  const result = await run();
  isOver = true;
  await changing;
  console.log(`control changes made: ${changes}`);
  return result;
}
