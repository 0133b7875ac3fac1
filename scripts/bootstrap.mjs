// Plain JavaScript for any Node ≥ 20: installs the dependencies when they are missing or older than the lock file.
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const lock = join(root, "package-lock.json");
const installed = join(root, "node_modules/.package-lock.json");
const pinnedNode = join(root, "node_modules/.bin/node");

const isFresh =
  existsSync(installed) && existsSync(pinnedNode) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs;

if (!isFresh) {
  console.error("Installing dependencies (once; needs the npm registry) …");
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const run = spawnSync(npm, ["ci", "--loglevel=error", "--no-audit", "--no-fund"], { cwd: root, stdio: "inherit" });
  if (run.status !== 0) {
    console.error("chaya: the dependencies could not be installed.");
    console.error("  'npm ci' failed; what it printed is above. Is the npm registry reachable from here?");
    process.exit(run.status ?? 1);
  }
}
