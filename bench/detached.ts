// Detached calls: how many a second are accepted (durable before the 202), how soon they are dispatched, and what remains
// while a client changes records. Told relative to what this disk commits in the same run.

import { probeCommits } from "./lib/commit-probe.ts";
import { applicationId, deployFunction, fdkFolder } from "./lib/deploy.ts";
import { type LoadResult, load, median, percentile, verdict } from "./lib/load.ts";
import { pause, startChaya } from "./lib/tools.ts";

const body = "x".repeat(1024);
const rounds = 3;
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
  // Until processes wait again for functions to come.
  await pause(2_000);
  const waits = await dispatchWaits(path, 300);
  const alone: LoadResult[] = [];
  const beside: LoadResult[] = [];
  const run = () => load(chaya, { connections: 64, seconds: 4, path, body, headers });
  // In turns, so that both meet the same backlog.
  for (let round = 0; round < rounds; round++) {
    alone.push(await run());
    beside.push(await withControlLoad(run));
  }
  const accepted = perSecond(alone);
  console.log(`alone: ${accepted.toFixed(0)} accepted/s  errors ${alone.reduce((sum, { errors }) => sum + errors, 0)}`);
  console.log(`beside 50 control changes/s: ${perSecond(beside).toFixed(0)} accepted/s`);
  const relative = accepted / commits;
  verdict(
    "accepted",
    `${accepted.toFixed(0)}/s (${relative.toFixed(2)} × the probe)`,
    "≥ 5,000/s when the disk commits ≥ 3,000/s",
    accepted >= 5_000 || commits < 3_000,
  );
  verdict("dispatch p50", `${percentile(waits, 0.5).toFixed(2)} ms`, "< 5 ms", percentile(waits, 0.5) < 5);
  verdict("dispatch p99", `${percentile(waits, 0.99).toFixed(2)} ms`, "< 25 ms", percentile(waits, 0.99) < 25);
  const share = perSecond(beside) / accepted;
  verdict("beside control changes", `${(share * 100).toFixed(0)} %`, "≥ 80 %", share >= 0.8);
} finally {
  await chaya.stop();
}

function perSecond(results: readonly LoadResult[]): number {
  return median(results.map(({ requestsPerSecond }) => requestsPerSecond));
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
