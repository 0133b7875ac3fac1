#!/usr/bin/env node
// Plain JavaScript that any Node ≥ 20 runs: hands over to the pinned Node when the one running is older.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import module, { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const nodeMajorMin = 26;
const here = dirname(fileURLToPath(import.meta.url));
const source = join(here, "../src/main.ts");
const main = existsSync(source) ? source : join(here, "../dist/main.js");
const nodePackage = dirname(createRequire(import.meta.url).resolve("node/package.json"));

if (Number(process.versions.node.split(".")[0]) >= nodeMajorMin) {
  endWithParent();
  // Beside the packages, so that whoever may change the cache may change the code as well. It halves the time to start.
  module.enableCompileCache(join(nodePackage, "../.cache/chaya"));
  const { runCli } = await import(main);
  await runCli();
} else {
  const node = join(nodePackage, "bin/node");
  const words = [fileURLToPath(import.meta.url), ...process.argv.slice(2)];
  // The channel carries nothing: it closes when this process ends, also by kill -9.
  const child = spawn(node, words, { stdio: ["inherit", "inherit", "inherit", "ipc"] });
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    console.error(`chaya: Node ${nodeMajorMin} could not be started: ${error.message}`);
    console.error("  It comes with the npm package 'node'; install again with: npm install");
    process.exit(1);
  });
  child.on("exit", (code, signal) => process.exit(signal === null ? code : 128 + constants.signals[signal]));
}

/** Whoever handed over is gone: what it would have passed on, SIGTERM, comes from here. */
function endWithParent() {
  if (process.channel === undefined) return;
  process.once("disconnect", () => process.kill(process.pid, "SIGTERM"));
  // Listening keeps the process alive otherwise.
  process.channel.unref();
}
