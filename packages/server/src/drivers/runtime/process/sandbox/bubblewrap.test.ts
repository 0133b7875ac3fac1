import { globSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import { requireToolchains } from "../../../../../../../scripts/toolchains.ts";
import { removeTree } from "../../../../kernel/archive/index.ts";
import { systemClock } from "../../../../kernel/clock.ts";
import { silentLogger } from "../../../../kernel/logger.ts";
import { type RuntimeKit, type RuntimeUnderTest, runtimeConformance } from "../../conformance.ts";
import { inspectionConformance } from "../../inspection-conformance.ts";
import { languageConformance } from "../../language-conformance.ts";
import { createProcessRuntime } from "../create-process-runtime.ts";
import type { PoolSizes } from "../pool-targets.ts";
import { openSandbox } from "./open-sandbox.ts";
import type { Sandbox } from "./sandbox.ts";

requireToolchains("bwrap");

describe("in bubblewrap", () => {
  let sandbox: Sandbox;

  async function makeRuntime({ directory, openBundle, clock }: RuntimeKit, poolSizes: PoolSizes) {
    const [logger, nodePath] = [silentLogger(), process.execPath];
    const instancesDirectory = join(directory, "instances");
    const options = { choice: "bwrap", directory: join(directory, "sandbox"), instancesDirectory } as const;
    sandbox = await openSandbox({ ...options, nodePath, clock, logger });
    return createProcessRuntime({
      ...{ directory: instancesDirectory, bundlesDirectory: join(directory, "bundles"), openBundle, sandbox },
      ...{ clock, logger, nodePath, poolSizes },
    });
  }

  it("closes the doors of processes that got ready too late for anybody", async () => {
    const directory = await mkdtemp(join(tmpdir(), "runtime-"));
    const kit = { directory, openBundle: async () => undefined, clock: systemClock() };
    const runtime = await makeRuntime(kit, { processesMax: 2, idle: 2, active: 2 });
    const instances = join(directory, "instances");
    await expect.poll(() => globSync("*/process", { cwd: instances }).length).toBe(2);
    // They tell that they are ready while nothing here can hear it; what is heard then is the closing first.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
    await runtime[Symbol.asyncDispose]();
    // A handle that came with a message is one of the kind that connections have, also when it listens.
    await expect.poll(() => process.getActiveResourcesInfo().filter((name) => name.startsWith("TCP"))).toEqual([]);
    await removeTree(directory);
  });

  const underTest: RuntimeUnderTest = {
    make: (kit) => makeRuntime(kit, { processesMax: 0, idle: 0, active: 0 }),
    isRunning: (pid) => isRunningInside(sandbox, pid),
  };
  runtimeConformance("process", underTest);
  languageConformance("process", underTest);
  inspectionConformance("process", underTest);
});

/** Whether a process that is in one of the sandbox's groups has this number inside. */
function isRunningInside({ controlGroups }: Sandbox, pid: number): boolean {
  const home = `/${basename(controlGroups[0] ?? "")}/`;
  return readdirSync("/proc").some((name) => {
    if (!/^\d+$/.test(name) || !readProc(name, "cgroup").includes(home)) return false;
    const status = readProc(name, "status");
    const isZombie = /^State:\s+[ZX]/m.test(status);
    return !isZombie && /^NSpid:.*\s(\d+)$/m.exec(status)?.[1] === String(pid);
  });
}

function readProc(pid: string, file: string): string {
  try {
    return readFileSync(join("/proc", pid, file), "utf8");
  } catch {
    // It has ended.
    return "";
  }
}
