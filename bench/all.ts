// Every benchmark, one after the other.  usage: npm run bench
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { repository } from "./lib/tools.ts";

for (const name of [
  "warm-call",
  "hot-function",
  "signatures",
  "detached",
  "events",
  "interference",
  "start",
  "reload",
  "footprint",
]) {
  console.log(`\n# ${name}`);
  spawnSync(process.execPath, [join(repository, "bench", `${name}.ts`)], { stdio: "inherit" });
}
