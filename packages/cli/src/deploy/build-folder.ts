import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { withProgress } from "../progress.ts";
import type { Terminal } from "../terminal.ts";
import { runProgram } from "./run-program.ts";

/** How many installed lock files are kept; the ones used longest ago go first. */
const buildsMax = 10;

/**
 * The node_modules that the folder's lock file asks for, outside of the folder: installed once per lock, then reused.
 * Undefined when there is no lock, or the folder's own node_modules already is what the lock says.
 */
export async function buildModules(folder: string, terminal: Terminal): Promise<string | undefined> {
  const lock = join(folder, "package-lock.json");
  if (!existsSync(lock) || (await isInstalled(folder, lock))) return undefined;
  const home = join(cacheHome(terminal.environment), "chaya", "builds");
  const target = join(home, await buildDigest(folder));
  if (!existsSync(target)) {
    await withProgress(
      terminal,
      "Installing dependencies (once per package-lock.json)",
      install(folder, { home, target }),
    );
    await removeOldBuilds(home);
  }
  const now = new Date(terminal.nowMs());
  await utimes(target, now, now);
  return join(target, "node_modules");
}

/** npm writes node_modules/.package-lock.json when it has installed. */
async function isInstalled(folder: string, lock: string): Promise<boolean> {
  const installed = join(folder, "node_modules", ".package-lock.json");
  return existsSync(installed) && (await stat(installed)).mtimeMs >= (await stat(lock)).mtimeMs;
}

function cacheHome(environment: Terminal["environment"]): string {
  const configured = environment.XDG_CACHE_HOME ?? "";
  return configured.startsWith("/") ? configured : join(environment.HOME ?? homedir(), ".cache");
}

const inputs = ["package.json", "package-lock.json", ".npmrc"] as const;

/** What decides what npm installs: its files, and the machine that native modules are built for. */
async function buildDigest(folder: string): Promise<string> {
  const hash = createHash("sha256").update(`${process.platform} ${process.arch} ${process.versions.modules}`);
  for (const name of inputs) {
    const path = join(folder, name);
    hash.update(`\0${name}\0`).update(existsSync(path) ? await readFile(path) : "");
  }
  return hash.digest("hex").slice(0, 32);
}

/** Installs beside the target and renames: a folder of that name is always whole. */
async function install(folder: string, place: { readonly home: string; readonly target: string }): Promise<void> {
  await mkdir(place.home, { recursive: true });
  const staging = await mkdtemp(join(place.home, "installing-"));
  try {
    for (const name of inputs)
      if (existsSync(join(folder, name))) await copyFile(join(folder, name), join(staging, name));
    await runProgram(["npm", "ci", "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error"], {
      folder: staging,
      what: `npm ci for ${folder}`,
      hint: "Run 'npm install' in the folder: its node_modules are used then.",
    });
    // A lock without packages leaves no folder behind.
    await mkdir(join(staging, "node_modules"), { recursive: true });
    await rename(staging, place.target).catch((error: NodeJS.ErrnoException) => {
      // Another deploy was faster; its folder holds the same.
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** Installations that an interrupt left half done count as builds here: nothing renews them, so they go in time. */
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
