import { existsSync } from "node:fs";
import { copyFile, mkdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Terminal } from "../terminal.ts";
import { cachedBuild } from "./build-cache.ts";
import { runProgram } from "./run-program.ts";

const inputs = ["package.json", "package-lock.json", ".npmrc"] as const;

/**
 * The node_modules that the folder's lock file asks for, outside of the folder: installed once per lock, then reused.
 * Undefined when there is no lock, or the folder's own node_modules already is what the lock says.
 */
export async function buildModules(folder: string, terminal: Terminal): Promise<string | undefined> {
  const lock = join(folder, "package-lock.json");
  if (!existsSync(lock) || (await isInstalled(folder, lock))) return undefined;
  const present = inputs.filter((name) => existsSync(join(folder, name)));
  const contents = await Promise.all(present.map(async (name) => [name, await readFile(join(folder, name))]));
  const build = await cachedBuild(terminal, {
    // Native modules are built for the Node that runs here.
    inputs: ["npm", process.versions.modules, ...contents.flat()],
    what: "Installing dependencies (once per package-lock.json)",
    make: async (staging) => {
      for (const name of present) await copyFile(join(folder, name), join(staging, name));
      await runProgram(["npm", "ci", "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error"], {
        folder: staging,
        what: `npm ci for ${folder}`,
        hint: "Run 'npm install' in the folder: its node_modules are used then.",
        environment: terminal.environment,
      });
      // A lock without packages leaves no folder behind.
      await mkdir(join(staging, "node_modules"), { recursive: true });
    },
  });
  return join(build, "node_modules");
}

/** npm writes node_modules/.package-lock.json when it has installed. */
async function isInstalled(folder: string, lock: string): Promise<boolean> {
  const installed = join(folder, "node_modules", ".package-lock.json");
  return existsSync(installed) && (await stat(installed)).mtimeMs >= (await stat(lock)).mtimeMs;
}
