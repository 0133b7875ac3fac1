import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Clock } from "../../../../kernel/clock.ts";
import type { Logger } from "../../../../kernel/logger.ts";
import { readProcess, readProcesses } from "../process-table.ts";
import {
  type ControlGroupPlaces,
  type Controller,
  controllers,
  findControlGroupPlaces,
} from "./control-group-places.ts";
import type { InstanceLimits } from "./sandbox.ts";

export interface ControlGroupDeps {
  /** Tells the groups of one process apart: the directory of the instances. */
  readonly owner: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

export type FoundControlGroups =
  | { readonly kind: "usable"; readonly groups: ControlGroups }
  | { readonly kind: "unusable"; readonly why: string };

const mebi = 1024 * 1024;
const cpuPeriodUs = 100_000;
const cpuQuotaUsMin = 1000;
const roundsMax = 500;
const roundMs = 2;

/**
 * The control groups of instances, below the one this server is in: limits that the kernel keeps, and a list of what an
 * instance runs that nothing in it escapes from. A group is made and joined by the process itself as it starts
 * (`directoriesOf`), limited, and ended.
 */
export class ControlGroups implements AsyncDisposable {
  readonly version: 1 | 2;
  readonly controllers: ReadonlySet<Controller>;
  /** The homes of all groups, by controller; in version 2 one home for all. */
  readonly #homes: ReadonlyMap<Controller, string>;
  readonly #deps: ControlGroupDeps;

  private constructor(version: 1 | 2, homes: ReadonlyMap<Controller, string>, deps: ControlGroupDeps) {
    this.version = version;
    this.controllers = new Set(homes.keys());
    this.#homes = homes;
    this.#deps = deps;
  }

  /** Ends whatever servers that are dead left in theirs. */
  static async open(deps: ControlGroupDeps): Promise<FoundControlGroups> {
    const name = homeName(deps.owner);
    try {
      const texts = await Promise.all(["mountinfo", "cgroup"].map((file) => readFile(`/proc/self/${file}`, "utf8")));
      const places = findControlGroupPlaces(texts[0] ?? "", texts[1] ?? "");
      if (places.version === undefined) return { kind: "unusable", why: "this machine has no control groups" };
      const homes = await (places.version === 1 ? makeHomes(places, name) : makeUnifiedHome(places.directory, name));
      if (typeof homes === "string") return { kind: "unusable", why: homes };
      const groups = new ControlGroups(places.version, homes, deps);
      await groups.#endDead();
      return { kind: "usable", groups };
    } catch (error) {
      return { kind: "unusable", why: `this user may make no control groups (${codeOf(error) ?? String(error)})` };
    }
  }

  /** What hold the groups of all instances: whoever outlives this server finds in them what to end and to remove. */
  get homes(): readonly string[] {
    return [...new Set(this.#homes.values())];
  }

  /** A process becomes a member of a group by making these and writing its number into each one's `cgroup.procs`. */
  directoriesOf(name: string): readonly string[] {
    return this.homes.map((home) => join(home, name));
  }

  /** Blocks for some microseconds: it stands between a function and its first call. */
  limit(name: string, { memoryMiB, processesMax, cpus }: InstanceLimits): void {
    const memoryBytes = String(memoryMiB * mebi);
    const quotaUs = Math.max(cpuQuotaUsMin, Math.round(cpus * cpuPeriodUs));
    if (this.version === 1) {
      this.#write("memory", name, {
        "memory.limit_in_bytes": memoryBytes,
        "memory.memsw.limit_in_bytes?": memoryBytes,
      });
      this.#write("pids", name, { "pids.max": String(processesMax) });
      this.#write("cpu", name, { "cpu.cfs_quota_us": String(quotaUs) });
    } else {
      const memory = { "memory.max": memoryBytes, "memory.swap.max?": "0", "memory.oom.group?": "1" };
      this.#write("memory", name, memory);
      this.#write("pids", name, { "pids.max": String(processesMax) });
      this.#write("cpu", name, { "cpu.max": `${quotaUs} ${cpuPeriodUs}` });
    }
  }

  /** Whether the kernel ended a process of the group because it had used up its memory. */
  wasOutOfMemory(name: string): boolean {
    const home = this.#homes.get("memory");
    if (home === undefined) return false;
    const text = readText(join(home, name, this.version === 1 ? "memory.oom_control" : "memory.events"));
    return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0) > 0;
  }

  /** The name of the group that a process is in; undefined when it is in none of these. */
  nameOf(pid: number): string | undefined {
    const [home = ""] = this.homes;
    return new RegExp(`/${basename(home)}/([^/\n]+)$`, "m").exec(readText(`/proc/${pid}/cgroup`))?.[1];
  }

  /** Ends what still runs in the group and removes it. Resolves when nothing of it lives. */
  async end(name: string): Promise<void> {
    const directories = this.directoriesOf(name);
    await this.#killAll(directories);
    // Nobody waits for it: it costs the kernel a little, and the next server tries again.
    void this.#remove(directories);
  }

  /** Every instance must have ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const home of this.homes) await this.#endHome(home);
  }

  async #endDead(): Promise<void> {
    for (const parent of new Set(this.homes.map((home) => dirname(home))))
      for (const name of await readdir(parent)) if (isOfTheDead(name)) await this.#endHome(join(parent, name));
  }

  async #endHome(home: string): Promise<void> {
    const entries = await readdir(home, { withFileTypes: true }).catch(() => []);
    const groups = entries.filter((entry) => entry.isDirectory()).map(({ name }) => [join(home, name)]);
    await Promise.all(groups.map((directories) => this.#killAll(directories)));
    for (const directories of [...groups, [home]]) await this.#remove(directories);
  }

  /** Of one group, in each tree. Version 1 has no word for it: what forks while it is being killed may fork no more. */
  async #killAll(directories: readonly string[]): Promise<void> {
    for (let round = 0; round < roundsMax; round++) {
      const pids = pidsIn(directories);
      if (pids.length === 0) return;
      for (const directory of directories) {
        if (writeText(join(directory, "cgroup.kill"), "1")) continue;
        if (round === 0) writeText(join(directory, "pids.max"), "0");
        for (const pid of pids) kill(pid);
      }
      await this.#deps.clock.sleep(roundMs);
    }
    this.#deps.logger.warn("a control group could not be emptied", { directories, pids: pidsIn(directories) });
  }

  /** The kernel lets go of a group a moment after its last process. */
  async #remove(directories: readonly string[]): Promise<void> {
    for (const directory of directories) {
      for (let round = 0; round < roundsMax; round++) {
        const code = await rmdir(directory).then(() => undefined, codeOf);
        if (code === undefined || code === "ENOENT") break;
        if (code !== "EBUSY" || round === roundsMax - 1)
          this.#deps.logger.warn("a control group could not be removed", { directory, code });
        if (code !== "EBUSY") break;
        await this.#deps.clock.sleep(roundMs);
      }
    }
  }

  /** Files whose names end in a question mark are written where the kernel has them. */
  #write(controller: Controller, name: string, files: Readonly<Record<string, string>>): void {
    const home = this.#homes.get(controller);
    if (home === undefined) return;
    for (const [file, text] of Object.entries(files)) {
      const path = join(home, name, file.replace(/\?$/, ""));
      if (file.endsWith("?")) writeText(path, text);
      else writeFileSync(path, text, { flag: "r+" });
    }
  }
}

/** By the process that serves, so that others see whether it is alive. */
function homeName(owner: string): string {
  const hash = createHash("sha256").update(owner).digest("hex").slice(0, 8);
  return `chaya-${process.pid}-${readProcess(process.pid)?.startTicks ?? 0}-${hash}`;
}

function isOfTheDead(name: string): boolean {
  const [, pid, startTicks] = /^chaya-(\d+)-(\d+)-[0-9a-f]{8}$/.exec(name) ?? [];
  return pid !== undefined && readProcess(Number(pid))?.startTicks !== Number(startTicks);
}

async function makeHomes(
  places: Extract<ControlGroupPlaces, { version: 1 }>,
  name: string,
): Promise<ReadonlyMap<Controller, string>> {
  const homes = new Map<Controller, string>();
  for (const [controller, directory] of places.directories) {
    const home = join(directory, name);
    await mkdir(home, { recursive: true });
    homes.set(controller, home);
  }
  return homes;
}

/**
 * Version 2 gives controllers only to the children of a group without processes: this server moves into a child of its
 * own group, which it must have to itself. The sentence says why it cannot.
 */
async function makeUnifiedHome(directory: string, name: string): Promise<ReadonlyMap<Controller, string> | string> {
  const offered = (await readFile(join(directory, "cgroup.controllers"), "utf8")).trim().split(" ");
  const wanted = controllers.filter((controller) => offered.includes(controller));
  if (!wanted.includes("memory")) return "the control group of this server has no memory controller";
  const members = pidsIn([directory]);
  const own = ownProcesses();
  if (members.some((pid) => !own.has(pid)))
    return "this server shares its control group with other programs (systemd-run --user --scope -p Delegate=yes gives it its own)";
  const [server, home] = [join(directory, "chaya-server"), join(directory, name)];
  await mkdir(server, { recursive: true });
  await mkdir(home, { recursive: true });
  for (const pid of members) await writeFile(join(server, "cgroup.procs"), String(pid));
  const enable = wanted.map((controller) => `+${controller}`).join(" ");
  for (const parent of [directory, home]) await writeFile(join(parent, "cgroup.subtree_control"), enable);
  return new Map(wanted.map((controller) => [controller, home]));
}

/** This process, what it started, and the launcher that started it and waits. */
function ownProcesses(): ReadonlySet<number> {
  const own = new Set([process.pid, process.ppid]);
  const rows = readProcesses();
  for (let before = 0; before < own.size; ) {
    before = own.size;
    for (const { pid, parent } of rows) if (parent !== process.ppid && own.has(parent)) own.add(pid);
  }
  return own;
}

function pidsIn(directories: readonly string[]): readonly number[] {
  const texts = directories.map((directory) => readText(join(directory, "cgroup.procs")));
  return [...new Set(texts.join("\n").split("\n").map(Number).filter(Boolean))];
}

/** Empty: there is no such file any more. */
function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** false: there is no such file. */
function writeText(path: string, text: string): boolean {
  try {
    writeFileSync(path, text, { flag: "r+" });
    return true;
  } catch {
    return false;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    // It ended by itself meanwhile, or is the kernel's to end.
    if (codeOf(error) !== "ESRCH" && codeOf(error) !== "EPERM") throw error;
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}
