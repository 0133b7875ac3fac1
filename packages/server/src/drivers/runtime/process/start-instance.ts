import { spawn } from "node:child_process";
import { once } from "node:events";
import { assert } from "../../../kernel/assert.ts";
import type { InstanceEnd, InstanceSpec, StartResult } from "../driver.ts";
import type { InstanceStdio } from "./descriptor-guard.ts";
import { readEntryPoint } from "./entry-point.ts";
import {
  type InstanceDirectory,
  makeInstanceDirectory,
  recordProcess,
  removeInstanceDirectory,
} from "./instance-directory.ts";
import { type LaunchHost, type LaunchPlan, planLaunch } from "./launch-plan.ts";
import { type InstanceKeepers, type InstanceProcess, ProcessInstance } from "./process-instance.ts";
import { type SocketFound, SocketWatch } from "./socket-watch.ts";

export interface StartDeps {
  readonly host: LaunchHost;
  readonly stdio: InstanceStdio;
  readonly keepers: InstanceKeepers;
  readonly instancesDirectory: string;
  /** Where socket directories go when the other path is too long. */
  readonly shortDirectory: string;
  /** From the first moment of its process until nothing of it lives. */
  readonly onInstance: (instance: ProcessInstance, spec: InstanceSpec) => void;
  readonly onGone: (instanceId: string, directory: InstanceDirectory) => void;
}

/** Starts an instance from unpacked code and waits until it listens. Whatever does not become `started` is gone. */
export async function startInstance(
  deps: StartDeps,
  started: { readonly spec: InstanceSpec; readonly codeDirectory: string },
  signal: AbortSignal,
): Promise<StartResult> {
  const { spec, codeDirectory } = started;
  const entry = await readEntryPoint(codeDirectory);
  if (entry.kind === "none") return { kind: "failed", how: entry.why };
  if (signal.aborted) return { kind: "aborted" };
  const directory = await makeInstanceDirectory({ ...deps, instanceId: spec.instanceId });
  const plan = planLaunch(spec, deps.host, { ...directory, command: entry.command, codeDirectory });
  using socket = new SocketWatch(directory.socketDirectory, deps.keepers.clock);
  const spawned = await spawnProcess(plan, deps.stdio);
  if (spawned.kind !== "spawned") {
    await removeInstanceDirectory(directory);
    if (spawned.kind === "refused") return { kind: "failed", how: spawned.how };
    throw spawned.error;
  }
  const instance = makeInstance(deps, { spec, directory, plan, ...spawned });
  try {
    await recordProcess(directory, instance.group);
    const outcome = await firstOutcome({ instance, socket, spec, deps }, signal);
    if (outcome.kind === "listening") {
      instance.listensAt(outcome.path);
      return { kind: "started", instance };
    }
    await instance.flushOutput();
    await instance.destroy();
    return resultOf(outcome, spec);
  } catch (error) {
    await instance.destroy();
    throw error;
  }
}

type Outcome =
  | SocketFound
  | { readonly kind: "ended"; readonly end: InstanceEnd }
  | { readonly kind: "timed-out" }
  | { readonly kind: "aborted" };

function firstOutcome(
  waiting: {
    readonly instance: ProcessInstance;
    readonly socket: SocketWatch;
    readonly spec: InstanceSpec;
    readonly deps: StartDeps;
  },
  signal: AbortSignal,
): Promise<Outcome> {
  return new Promise((resolve) => {
    const onAbort = () => settle({ kind: "aborted" });
    const timer = waiting.deps.keepers.clock.schedule(waiting.spec.startTimeoutMs, () => settle({ kind: "timed-out" }));
    const settle = (outcome: Outcome) => {
      timer.cancel();
      signal.removeEventListener("abort", onAbort);
      resolve(outcome);
    };
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    void waiting.socket.found.then(settle);
    void waiting.instance.ended.then((end) => settle({ kind: "ended", end }));
  });
}

function resultOf(outcome: Exclude<Outcome, { kind: "listening" }>, spec: InstanceSpec): StartResult {
  switch (outcome.kind) {
    case "timed-out":
    case "aborted":
      return outcome;
    case "refused":
      return { kind: "failed", how: outcome.how };
    case "ended":
      return { kind: "failed", how: describeEnd(outcome.end, spec.memoryMiB) };
    default:
      return outcome satisfies never;
  }
}

function describeEnd(end: InstanceEnd, memoryMiB: number): string {
  if (end.isOutOfMemory) return `it used more than its ${memoryMiB} MiB of memory`;
  return end.signal === undefined ? `exit code ${end.code}` : `signal ${end.signal}`;
}

type Spawned =
  | ({ readonly kind: "spawned" } & InstanceProcess)
  /** By something the function's author chose: its program, arguments or environment. */
  | { readonly kind: "refused"; readonly how: string }
  | { readonly kind: "failed"; readonly error: unknown };

/** Sentences of our own: Node's quote the values, and among them are secrets. */
const authorsErrors: Readonly<Record<string, string>> = {
  ENOENT: "there is no such program",
  ENOTDIR: "there is no such program",
  EACCES: "its program may not be executed",
  ENOEXEC: "its program has no format that this system runs",
  E2BIG: "its environment is too large",
  ERR_INVALID_ARG_VALUE: "its environment or its arguments hold U+0000",
};

async function spawnProcess(plan: LaunchPlan, stdio: InstanceStdio): Promise<Spawned> {
  try {
    const process = spawn(plan.program, plan.arguments, {
      cwd: plan.directory,
      env: { ...plan.environment },
      stdio: [...stdio],
      // A session and a process group of its own, so that one signal ends all of it.
      detached: true,
    });
    const { pid, stdout, stderr } = process;
    if (pid === undefined) {
      const [error] = await once(process, "error");
      throw error;
    }
    assert(stdout !== null && stderr !== null, "the second and third descriptor are pipes");
    return { kind: "spawned", process, group: pid, stdout, stderr };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const cause = authorsErrors[code];
    if (cause === undefined) return { kind: "failed", error };
    return { kind: "refused", how: `its process could not be made: ${cause}` };
  }
}

function makeInstance(
  deps: StartDeps,
  made: InstanceProcess & {
    readonly spec: InstanceSpec;
    readonly directory: InstanceDirectory;
    readonly plan: LaunchPlan;
  },
): ProcessInstance {
  const { spec, directory, plan, ...spawned } = made;
  const instance = new ProcessInstance(
    deps.keepers,
    { ...spawned, id: spec.instanceId, isNode: plan.isNode },
    {
      line: spec.onLine,
      gone: () => deps.onGone(spec.instanceId, directory),
    },
  );
  deps.onInstance(instance, spec);
  return instance;
}
