import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { promisify } from "node:util";
import { systemPath } from "./launch-environment.ts";

/** What the runtime of a bundle means by `node`. */
export type FoundNode =
  | { readonly kind: "own" }
  | { readonly kind: "other"; readonly runtime: string; readonly path: string }
  | { readonly kind: "none"; readonly why: string };

/** Finds programs of this machine, each once. */
export class HostPrograms {
  readonly #nodes = new Map<string, Promise<FoundNode>>();

  /** `node26` and whatever says nothing about Node is the platform's own; `node20` or a path is that one. */
  node(runtime: string | undefined): Promise<FoundNode> {
    const major = /^node(\d{1,3})$/.exec(runtime ?? "")?.[1];
    const isPath = runtime !== undefined && isAbsolute(runtime);
    if (runtime === undefined || (!isPath && (major === undefined || process.version.startsWith(`v${major}.`))))
      return Promise.resolve({ kind: "own" });
    const found = this.#nodes.get(runtime) ?? (major === undefined ? nodeAt(runtime) : nodeOfVersion(runtime, major));
    this.#nodes.set(runtime, found);
    // One that is not there now may be installed a moment later.
    void found.then(({ kind }) => kind === "none" && this.#nodes.delete(runtime));
    return found;
  }
}

/** The first of the system path; undefined when there is none. */
export async function findProgram(name: string): Promise<string | undefined> {
  for (const directory of systemPath.split(":")) {
    const path = join(directory, name);
    if (await isExecutable(path)) return path;
  }
  return undefined;
}

async function nodeAt(path: string): Promise<FoundNode> {
  if (await isExecutable(path)) return { kind: "other", runtime: path, path };
  return { kind: "none", why: `its runtime is ${path}, and this machine has no such program` };
}

async function nodeOfVersion(runtime: string, major: string): Promise<FoundNode> {
  const named = await findProgram(runtime);
  if (named !== undefined) return { kind: "other", runtime, path: named };
  const system = await findProgram("node");
  if (system !== undefined && (await versionOf(system)).startsWith(`v${major}.`))
    return { kind: "other", runtime, path: system };
  const why = `its runtime is ${runtime}: no '${runtime}' and no 'node' of that version is on this machine's system path`;
  return { kind: "none", why };
}

async function versionOf(node: string): Promise<string> {
  const { stdout } = await promisify(execFile)(node, ["--version"], { env: {} });
  return stdout;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
