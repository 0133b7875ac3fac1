import type { InstanceEnd, InstanceSpec, StartResult } from "../driver.ts";
import { fillCodeDirectory } from "./code-directory.ts";
import { readEntryPoint } from "./entry-point.ts";
import { type Flavour, unconfinedFlavour } from "./flavour.ts";
import type { HostPrograms } from "./host-programs.ts";
import { environmentRefusal } from "./launch-environment.ts";
import { assignmentOf, type LaunchHost, type LaunchPlan, memoryMiBMaxOf, planLaunch } from "./launch-plan.ts";
import { PinnedSocket } from "./pinned-socket.ts";
import type { PreStartedPool } from "./pre-started-pool.ts";
import type { PreStartedProcess } from "./pre-started-process.ts";
import type { GroupKeepers } from "./process-group.ts";
import { ProcessInstance } from "./process-instance.ts";
import type { InstanceLimits, Sandbox } from "./sandbox/sandbox.ts";
import { type SocketFound, SocketWatch } from "./socket-watch.ts";

export interface StartDeps {
  readonly host: LaunchHost;
  readonly programs: HostPrograms;
  readonly pool: PreStartedPool<PreStartedProcess>;
  /** Starts a process that keeps its channel, which those that wait have not. */
  readonly startInspectable: (flavour: Flavour, signal: AbortSignal) => Promise<PreStartedProcess>;
  readonly sandbox: Sandbox;
  readonly keepers: GroupKeepers;
  /** Of one instance, beside the memory of its function. */
  readonly limits: Omit<InstanceLimits, "memoryMiB">;
  /** The process that it takes starts another program. */
  readonly onPlainStart: () => void;
  /** A process is the instance's from now on, until it is gone. */
  readonly onInstance: (instance: ProcessInstance) => void;
}

interface Start {
  readonly spec: InstanceSpec;
  /** The unpacked bundle. */
  readonly bundleDirectory: string;
}

/** Starts an instance from unpacked code and waits until it listens. Whatever does not become `started` is gone. */
export async function startInstance(deps: StartDeps, start: Start, signal: AbortSignal): Promise<StartResult> {
  const { spec, bundleDirectory } = start;
  const entry = readEntryPoint(bundleDirectory);
  if (entry.kind === "none") return { kind: "failed", how: entry.why };
  const refusal = environmentRefusal(spec.environment);
  if (refusal !== undefined) return { kind: "failed", how: `its process could not be made: ${refusal}` };
  const node = await deps.programs.node(entry.runtime);
  const plan = planLaunch({ spec, entry, node }, deps.host);
  if (plan.kind === "not-inspectable") return plan;
  if (plan.kind === "refused") return { kind: "failed", how: plan.how };
  const isOpen = deps.sandbox.abilities.isolation === "none";
  if (spec.network === "outbound" && deps.sandbox.outboundRefusal !== undefined)
    return { kind: "failed", how: deps.sandbox.outboundRefusal };
  const flavour = isOpen ? unconfinedFlavour(plan.flavour) : plan.flavour;
  if (plan.note !== undefined) deps.onPlainStart();
  const process = await (plan.become.kind === "inspect"
    ? deps.startInspectable(flavour, signal)
    : deps.pool.take(flavour, signal));
  const instance = new ProcessInstance(process, { spec, isNode: plan.isNode });
  deps.onInstance(instance);
  try {
    const outcome = await becomeFunction(deps, { ...start, process, instance, plan }, signal);
    if (outcome.kind === "listening") {
      instance.listensAt(outcome.socket);
      return { kind: "started", instance };
    }
    await instance.flushOutput();
    await instance.destroy();
    return resultOf(outcome, spec);
  } catch (error) {
    await instance.destroy();
    throw error;
  } finally {
    deps.pool.settled(process);
  }
}

interface Becoming extends Start {
  readonly process: PreStartedProcess;
  readonly instance: ProcessInstance;
  readonly plan: Extract<LaunchPlan, { kind: "launch" }>;
}

type Outcome =
  | { readonly kind: "listening"; readonly socket: PinnedSocket }
  | Exclude<FirstOutcome, { kind: "listening" }>;

type FirstOutcome =
  | SocketFound
  | { readonly kind: "ended"; readonly end: InstanceEnd }
  | { readonly kind: "timed-out" }
  | { readonly kind: "aborted" };

/** The limits hold and the code is in its place before anything of the function runs. */
async function becomeFunction(deps: StartDeps, becoming: Becoming, signal: AbortSignal): Promise<Outcome> {
  const { spec, bundleDirectory, process, instance, plan } = becoming;
  const { codeDirectory, directory, entry, door } = process;
  const [limiter] = await Promise.all([
    deps.sandbox.limit(process.group.group, { ...deps.limits, memoryMiB: memoryMiBMaxOf(spec) }),
    codeDirectory === undefined ? undefined : fillCodeDirectory(codeDirectory, bundleDirectory),
  ]);
  instance.limitedBy(limiter);
  process.group.gone
    .then(() => limiter[Symbol.asyncDispose]())
    .catch((error: unknown) => deps.keepers.logger.warn("limits of an instance could not be removed", { error }));
  if (plan.note !== undefined) instance.note(plan.note);
  using socket = new SocketWatch(limiter.socketDirectory ?? directory.socketDirectory, deps.keepers.clock);
  await instance.replaceCredentials(await spec.credentials.files);
  const inside = codeDirectory === undefined ? bundleDirectory : entry.codeDirectory;
  const place = { ...entry, codeDirectory: inside, doorPort: door.port };
  if (spec.onInspector !== undefined) process.leadToInspector(spec.onInspector);
  process.assign(assignmentOf({ spec, plan }, deps.host, place));
  return pinned(await firstOutcome({ instance, socket, spec, deps }, signal));
}

function firstOutcome(
  waiting: {
    readonly instance: ProcessInstance;
    readonly socket: SocketWatch;
    readonly spec: InstanceSpec;
    readonly deps: StartDeps;
  },
  signal: AbortSignal,
): Promise<FirstOutcome> {
  return new Promise((resolve) => {
    const onAbort = () => settle({ kind: "aborted" });
    const timer = waiting.deps.keepers.clock.schedule(waiting.spec.startTimeoutMs, () => settle({ kind: "timed-out" }));
    const settle = (outcome: FirstOutcome) => {
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

/** From now on it is this socket and no other, whatever its name comes to mean. */
function pinned(outcome: FirstOutcome): Outcome {
  if (outcome.kind !== "listening") return outcome;
  const socket = PinnedSocket.open(outcome.path);
  return socket === undefined ? { kind: "refused", how: "it removed its socket again" } : { kind: "listening", socket };
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
