// How soon a server is ready: on an empty and on a used data directory, and after kill -9.

import { median, verdict } from "./lib/load.ts";
import { seedData } from "./lib/seed.ts";
import { startChaya } from "./lib/tools.ts";

const rounds = 5;

const small = await startChaya();
await small.stop();
const { data } = await seedData({ functions: 10_000, calls: 1_000_000 });
const onSmall: number[] = [];
const onLarge: number[] = [];
const afterKill: number[] = [];
for (let round = 0; round < rounds; round++) {
  onSmall.push(await readyMs(small.data, "SIGTERM"));
  onLarge.push(await readyMs(data, "SIGTERM"));
  await readyMs(small.data, "SIGKILL");
  afterKill.push(await readyMs(small.data, "SIGTERM"));
}
const show = (ms: number) => `${ms.toFixed(0)} ms`;
verdict("ready on an existing directory", show(median(onSmall)), "< 1,000 ms", median(onSmall) < 1_000);
verdict(
  "ready with 10,000 functions and 1,000,000 calls",
  show(median(onLarge)),
  "< 1,500 ms",
  median(onLarge) < 1_500,
);
verdict("ready after kill -9", show(median(afterKill)), "< 1,000 ms", median(afterKill) < 1_000);

async function readyMs(data: string, signal: "SIGTERM" | "SIGKILL"): Promise<number> {
  const server = await startChaya({ data });
  if (signal === "SIGTERM") await server.stop();
  else {
    process.kill(server.pid, "SIGKILL");
    await server.exited;
  }
  return server.readyMs;
}
