import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../../kernel/clock.ts";
import { silentLogger } from "../../../../kernel/logger.ts";
import { readProcess } from "../process-table.ts";
import { ControlGroups } from "./control-groups.ts";
import { joinGroups, shellPath } from "./group-joining.ts";

const found = await ControlGroups.open({ owner: "/control-groups-test", clock: systemClock(), logger: silentLogger() });
const isAlive = (pid: number) => readProcess(pid)?.isZombie === false;

// Whether there are control groups to make is a matter of the machine and the user.
if (found.kind === "usable") describe("control groups", () => test(found.groups));
else it("says why this user can make no control groups", () => expect(found.why).toMatch(/\w+ .*\w$/));

function test(groups: ControlGroups): void {
  const spawned: ChildProcess[] = [];
  let names = 0;

  afterEach(() => {
    for (const child of spawned.splice(0)) child.kill("SIGKILL");
  });

  /** A shell in a group of its own that says one line when it has run `script`. */
  async function enter(script: string): Promise<{ name: string; child: ChildProcess; pid: number; line: string }> {
    const name = `group-${++names}`;
    const words = ["-c", `${joinGroups}${script}`, "sh", groups.directoriesOf(name).join("\n")];
    const child = spawn(shellPath, words, { stdio: ["ignore", "pipe", "inherit"] });
    spawned.push(child);
    const line = await new Promise<string>((resolve) => createInterface(child.stdout).once("line", resolve));
    return { name, child, pid: child.pid ?? 0, line };
  }

  it("are joined by a process before it starts anything, and known by its number", async () => {
    const { name, pid } = await enter("echo ready; exec sleep 600");
    expect(groups.nameOf(pid)).toBe(name);
    expect(groups.nameOf(process.pid)).toBeUndefined();
    await groups.end(name);
  });

  it("end what left its parent, its process group and its session, and are removed", async () => {
    const { name, line } = await enter("setsid sh -c 'sleep 600 & echo $!' & wait; exit");
    const escaped = Number(line);
    expect(isAlive(escaped)).toBe(true);
    await groups.end(name);
    expect(isAlive(escaped)).toBe(false);
    await expect.poll(() => groups.directoriesOf(name).filter(existsSync)).toEqual([]);
  });

  it("end a process that forks without end", async () => {
    const { name } = await enter("bomb() { while :; do sleep 600 & done; }; echo ready; bomb");
    groups.limit(name, { memoryMiB: 64, processesMax: 50, cpus: 1 });
    await groups.end(name);
    await expect.poll(() => groups.directoriesOf(name).filter(existsSync)).toEqual([]);
  });

  it("tell when the kernel ended a process because its memory was used up", async () => {
    const { name, child } = await enter("echo ready; exec perl -e '$x = \"x\" x (64 << 20); sleep 600'");
    groups.limit(name, { memoryMiB: 16, processesMax: 3, cpus: 0.5 });
    expect(groups.wasOutOfMemory(name)).toBe(false);
    const signal = await new Promise((resolve) => child.once("exit", (_code, by) => resolve(by)));
    expect(signal).toBe("SIGKILL");
    expect(groups.wasOutOfMemory(name)).toBe(true);
    await groups.end(name);
  });

  it("of a server that is dead are ended and removed by the next, and those of one that lives are not", async () => {
    const [home = ""] = groups.homes;
    const dead = join(dirname(home), `chaya-${2 ** 22 + 1}-1-0123abcd`);
    const living = join(dirname(home), `chaya-${process.pid}-${readProcess(process.pid)?.startTicks}-0123abcd`);
    for (const directory of [join(dead, "group"), join(living, "group")]) await mkdir(directory, { recursive: true });
    const child = spawn(shellPath, ["-c", 'echo $$ > "$0/group/cgroup.procs"; echo ready; exec sleep 600', dead]);
    spawned.push(child);
    await new Promise((resolve) => createInterface(child.stdout).once("line", resolve));
    const next = await ControlGroups.open({ owner: "/next", clock: systemClock(), logger: silentLogger() });
    expect(existsSync(dead)).toBe(false);
    expect(isAlive(child.pid ?? 0)).toBe(false);
    expect(await readdir(living)).toContain("group");
    if (next.kind === "usable") await next.groups[Symbol.asyncDispose]();
    for (const directory of [join(living, "group"), living]) await rmdir(directory);
  });

  it("go with the server", async () => {
    const own = await ControlGroups.open({ owner: "/another", clock: systemClock(), logger: silentLogger() });
    if (own.kind !== "usable") expect.fail(own.why);
    expect(own.groups.homes.every(existsSync)).toBe(true);
    await own.groups[Symbol.asyncDispose]();
    expect(own.groups.homes.some(existsSync)).toBe(false);
    await groups[Symbol.asyncDispose]();
    expect(await readFile("/proc/self/cgroup", "utf8")).not.toContain("group-");
  });
}
