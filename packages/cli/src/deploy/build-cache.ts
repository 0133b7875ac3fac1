import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { withProgress } from "../progress.ts";
import type { Terminal } from "../terminal.ts";

export type BuildTerminal = Pick<Terminal, "environment" | "stderr" | "nowMs">;

export interface Build {
  /** What decides the outcome: bytes of files, names and versions. */
  readonly inputs: readonly (string | Uint8Array)[];
  /** What is said while it takes longer than a second. */
  readonly what: string;
  /** Fills the empty folder. */
  readonly make: (folder: string) => Promise<void>;
}

/** How many builds are kept; the ones used longest ago go first. */
const buildsMax = 20;

/** The folder that `make` fills, outside of the function's: made once per inputs and machine, then reused. */
export async function cachedBuild(terminal: BuildTerminal, build: Build): Promise<string> {
  const home = buildsHome(terminal);
  const target = join(home, digestOf([process.platform, process.arch, ...build.inputs]));
  if (!existsSync(target)) {
    await withProgress(terminal, build.what, makeWhole(target, build.make));
    await removeOldBuilds(home);
  }
  await touch(target, terminal);
  return target;
}

/** A folder that a compiler keeps its intermediate results in, one for each `name`. */
export async function compilerFolder(terminal: BuildTerminal, name: string): Promise<string> {
  const home = buildsHome(terminal);
  const folder = join(home, digestOf(["compiler", name]));
  await mkdir(folder, { recursive: true });
  await touch(folder, terminal);
  await removeOldBuilds(home);
  return folder;
}

function buildsHome({ environment }: BuildTerminal): string {
  const configured = environment.XDG_CACHE_HOME ?? "";
  const cache = configured.startsWith("/") ? configured : join(environment.HOME ?? homedir(), ".cache");
  return join(cache, "chaya", "builds");
}

/** The parts with their lengths, so that no two lists of parts look alike. */
function digestOf(parts: Build["inputs"]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${Buffer.byteLength(part)} `).update(part);
  return hash.digest("hex").slice(0, 32);
}

/** Builds beside the target and renames: a folder of that name is always whole. */
async function makeWhole(target: string, make: Build["make"]): Promise<void> {
  const home = join(target, "..");
  await mkdir(home, { recursive: true });
  const staging = await mkdtemp(join(home, "making-"));
  try {
    await make(staging);
    await rename(staging, target).catch((error: NodeJS.ErrnoException) => {
      // Another deploy was faster; its folder holds the same.
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

async function touch(folder: string, terminal: BuildTerminal): Promise<void> {
  const now = new Date(terminal.nowMs());
  await utimes(folder, now, now);
}

/** What an interrupt left half done counts as a build here: nothing renews it, so it goes in time. */
async function removeOldBuilds(home: string): Promise<void> {
  const builds: { readonly name: string; readonly usedMs: number }[] = [];
  for (const name of await readdir(home)) {
    // Another deploy may rename or remove it meanwhile.
    const found = await stat(join(home, name)).catch(() => undefined);
    if (found !== undefined) builds.push({ name, usedMs: found.mtimeMs });
  }
  const old = builds.sort((a, b) => b.usedMs - a.usedMs).slice(buildsMax);
  for (const { name } of old) await rm(join(home, name), { recursive: true, force: true });
}
