// `chaya start`, which on SIGUSR2 writes the bytes of its heap that are in use to DATA/heap-used. Plain JavaScript: what
// strips types would be measured as well.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const data = process.argv[process.argv.indexOf("--data") + 1] ?? "";

process.on("SIGUSR2", () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc");
  setFlagsFromString("--no-expose-gc");
  for (let round = 0; round < 3; round++) collect();
  writeFileSync(join(data, "heap-used"), String(process.memoryUsage().heapUsed));
});
await import("../../packages/cli/bin/chaya.mjs");
