import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { availableParallelism, hostname, tmpdir } from "node:os";
import { promisify } from "node:util";
import { digestOfImage, limits, Problem } from "@chaya/contract";
import type { Clock } from "../../../kernel/clock.ts";
import { Lifetime } from "../../../kernel/lifetime.ts";
import type { Logger } from "../../../kernel/logger.ts";
import { machineMemoryBytes } from "../../../kernel/machine-memory.ts";
import type {
  InstanceSpec,
  LikelyStart,
  OpenBundle,
  PrepareResult,
  RuntimeAbilities,
  RuntimeDriver,
  StartFigures,
  StartResult,
} from "../driver.ts";
import { BundleCache } from "./bundle-cache.ts";
import { DescriptorGuard } from "./descriptor-guard.ts";
import { endLeftovers } from "./end-leftovers.ts";
import { readEntryPoint } from "./entry-point.ts";
import { unconfinedFlavour } from "./flavour.ts";
import { findProgram, HostPrograms } from "./host-programs.ts";
import { type InstanceDirectory, removeInstanceDirectory } from "./instance-directory.ts";
import { heapMiBOf, memoryMiBMaxOf, planLaunch } from "./launch-plan.ts";
import { Lifeline } from "./lifeline.ts";
import { OneATurn } from "./one-a-turn.ts";
import { defaultPoolSizes, type PoolSizes, waitingProcessMiB } from "./pool-targets.ts";
import { PreStartedPool } from "./pre-started-pool.ts";
import { type PreStart, type PreStartDeps, PreStartedProcess } from "./pre-started-process.ts";
import type { ProcessInstance } from "./process-instance.ts";
import { ProcessWatch } from "./process-watch.ts";
import { NoSandbox } from "./sandbox/no-sandbox.ts";
import type { Sandbox } from "./sandbox/sandbox.ts";
import { type StartDeps, startInstance } from "./start-instance.ts";

export interface ProcessRuntimeOptions {
  /** Sockets and temporary directories of instances: DATA/instances. One runtime at a time has it. */
  readonly directory: string;
  /** Unpacked code: DATA/bundles. Whatever is in it can be made again. */
  readonly bundlesDirectory: string;
  readonly openBundle: OpenBundle;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The Node that runs functions. */
  readonly nodePath: string;
  /** What stands between instances and the machine; disposed with the runtime; nothing when absent. */
  readonly sandbox?: Sandbox;
  /** How many processes wait for a function; by default as many as a sixteenth of the machine's memory allows. */
  readonly poolSizes?: PoolSizes;
  /** All of them together, when `poolSizes` does not say it. */
  readonly preStartedMax?: number | undefined;
  /** Where sockets go when `directory` has too long a path for them; the system's temporary directory when absent. */
  readonly shortDirectory?: string;
}

/** How often memory is measured: an instance may be beyond its limit for so long. */
const memorySweepMs = 250;
const memoryShareOfPool = 1 / 16;
const mebi = 1024 * 1024;
const setpriv = "/usr/bin/setpriv";

/** Runs each instance as a process of this machine. First ends what instances of an earlier server left running. */
export async function createProcessRuntime(options: ProcessRuntimeOptions): Promise<RuntimeDriver> {
  const { clock, logger, nodePath, sandbox = new NoSandbox(undefined, []) } = options;
  await mkdir(options.directory, { recursive: true, mode: 0o700 });
  await mkdir(options.bundlesDirectory, { recursive: true, mode: 0o700 });
  await endLeftovers({ instancesDirectory: options.directory, clock, logger });
  const lifetime = new Lifetime();
  lifetime.own(sandbox);
  const bundles = lifetime.own(await BundleCache.open(options.bundlesDirectory, options));
  const watch = lifetime.own(new ProcessWatch(clock, sandbox.memoryDirectories));
  const lifeline = lifetime.own(new Lifeline(logger, sandbox.controlGroups));
  const guard = new DescriptorGuard();
  lifetime.onClose(() => guard[Symbol.dispose]());
  const [setprivPath, pythonPath] = await Promise.all([usableSetpriv(), findProgram("python3")]);
  return new ProcessRuntime({
    host: { nodePath, setprivPath, pythonPath, hostName: hostname() },
    stdio: guard.stdio,
    bundles,
    lifetime,
    sandbox,
    keepers: { clock, logger, watch, lifeline },
    instancesDirectory: options.directory,
    shortDirectory: options.shortDirectory ?? tmpdir(),
    poolSizes: options.poolSizes ?? sizesOf(options.preStartedMax),
  });
}

function sizesOf(preStartedMax: number | undefined): PoolSizes {
  const affordable = Math.floor((machineMemoryBytes() * memoryShareOfPool) / (waitingProcessMiB * mebi));
  const processesMax = preStartedMax ?? Math.min(defaultPoolSizes.processesMax, affordable);
  return { ...defaultPoolSizes, processesMax };
}

/** BusyBox has a setpriv too, but one without this option. */
async function usableSetpriv(): Promise<string | undefined> {
  if (!existsSync(setpriv)) return undefined;
  const trial = promisify(execFile)(setpriv, ["--pdeathsig", "KILL", "--", setpriv, "--version"], { env: {} });
  return trial.then(
    () => setpriv,
    () => undefined,
  );
}

type Deps = Omit<PreStartDeps, "onGone" | "spawnTurns"> & {
  readonly bundles: BundleCache;
  readonly lifetime: Lifetime;
  readonly poolSizes: PoolSizes;
};

/** Open until disposed; then starts answer `aborted`, and disposing waits until every instance is gone. */
class ProcessRuntime implements RuntimeDriver {
  readonly name = "process";
  readonly abilities: RuntimeAbilities;
  readonly isolationNotes: readonly string[];
  readonly #deps: Deps;
  readonly #pool: PreStartedPool<PreStartedProcess>;
  readonly #programs = new HostPrograms();
  readonly #closing = new AbortController();
  readonly #instances = new Map<string, { readonly instance: ProcessInstance; readonly memoryBytesMax: number }>();
  readonly #starts = new Set<Promise<StartResult>>();
  /** Of every process, whether it waits or is an instance's, until nothing of it lives. */
  readonly #processes = new Set<Promise<void>>();
  readonly #removals = new Set<Promise<void>>();
  readonly #spawnTurns = new OneATurn();
  #preStarted = 0;
  #plainStarts = 0;
  #isMeasuring = false;

  constructor(deps: Deps) {
    this.#deps = deps;
    this.abilities = { ...deps.sandbox.abilities, inspects: true };
    this.isolationNotes = deps.sandbox.explanation;
    this.#pool = this.#openPool();
    const sweep = deps.keepers.clock.every(memorySweepMs, () => void this.#measureMemory());
    deps.lifetime.onClose(() => this.#end());
    deps.lifetime.onClose(() => sweep.cancel());
  }

  canRun(image: string): boolean {
    return digestOfImage(image) !== undefined;
  }

  async prepare(image: string, signal: AbortSignal, likely?: LikelyStart): Promise<PrepareResult> {
    const digest = digestOfImage(image);
    if (digest === undefined)
      return { kind: "image-unavailable", reason: "no runtime here can fetch it; deploy code with chaya deploy" };
    const prepared = await this.#deps.bundles.prepare(digest, AbortSignal.any([signal, this.#closing.signal]));
    if (prepared.kind === "ready" && likely !== undefined) await this.#expect(digest, likely);
    return prepared;
  }

  start(spec: InstanceSpec, signal: AbortSignal): Promise<StartResult> {
    const start = this.#start(spec, AbortSignal.any([signal, this.#closing.signal]));
    this.#starts.add(start);
    return start.finally(() => this.#starts.delete(start));
  }

  async forget(images: readonly string[]): Promise<void> {
    for (const image of images) {
      const digest = digestOfImage(image);
      if (digest !== undefined) this.#deps.bundles.forget(digest);
    }
  }

  readonly readStarts = (): StartFigures => ({
    found: this.#pool.found,
    plain: this.#plainStarts,
    waiting: this.#pool.readyCount,
  });

  [Symbol.asyncDispose](): Promise<void> {
    return this.#deps.lifetime[Symbol.asyncDispose]();
  }

  async #start(spec: InstanceSpec, signal: AbortSignal): Promise<StartResult> {
    const digest = digestOfImage(spec.image) ?? "";
    const use = this.#deps.bundles.use(digest);
    let isUsed = false;
    try {
      const prepared = await this.prepare(spec.image, signal);
      if (prepared.kind !== "ready") return prepared;
      const bundleDirectory = this.#deps.bundles.directoryOf(digest);
      const onInstance = (instance: ProcessInstance) => {
        isUsed = true;
        this.#keep(instance, spec, use);
      };
      return await startInstance(this.#startDeps(onInstance), { spec, bundleDirectory }, signal);
    } catch (error) {
      if (signal.aborted) return { kind: "aborted" };
      throw isDiskFull(error) ? new Problem("storage-full", { freeBytes: 0 }, { cause: error }) : error;
    } finally {
      if (!isUsed) use[Symbol.dispose]();
    }
  }

  #startDeps(onInstance: StartDeps["onInstance"]): StartDeps {
    const { host, sandbox, keepers } = this.#deps;
    const ofEach = { processesMax: limits.instanceProcessesMax, cpus: availableParallelism() };
    return {
      ...{ host, sandbox, keepers, limits: ofEach, programs: this.#programs, pool: this.#pool, onInstance },
      onPlainStart: () => this.#plainStarts++,
      startInspectable: (flavour, signal) => this.#preStart({ flavour, manner: "inspectable" }, signal),
    };
  }

  /** The process that a function will need waits before its first call. */
  async #expect(digest: string, likely: LikelyStart): Promise<void> {
    const entry = readEntryPoint(this.#deps.bundles.directoryOf(digest));
    if (entry.kind === "none") return;
    const node = await this.#programs.node(entry.runtime);
    const plan = planLaunch({ spec: { ...likely, environment: {} }, entry, node }, this.#deps.host);
    if (plan.kind !== "launch") return;
    const isOpen = this.#deps.sandbox.abilities.isolation === "none";
    this.#pool.expect(isOpen ? unconfinedFlavour(plan.flavour) : plan.flavour);
  }

  /** Until nothing of it lives. */
  #keep(instance: ProcessInstance, spec: InstanceSpec, use: Disposable): void {
    this.#instances.set(instance.id, { instance, memoryBytesMax: memoryMiBMaxOf(spec) * mebi });
    void instance.gone.then(() => {
      this.#instances.delete(instance.id);
      use[Symbol.dispose]();
    });
  }

  #openPool(): PreStartedPool<PreStartedProcess> {
    const { keepers, poolSizes, sandbox } = this.#deps;
    return new PreStartedPool(
      {
        ...keepers,
        sizes: poolSizes,
        startsAtOnceMax: availableParallelism(),
        start: (flavour, manner, signal) => this.#preStart({ flavour, manner }, signal),
      },
      {
        program: "node",
        network: sandbox.abilities.isolation === "none" ? "outbound" : "none",
        heapMiB: heapMiBOf(limits.functionMemoryMiBDefault),
        readable: [],
      },
    );
  }

  async #preStart(start: Omit<PreStart, "id">, signal: AbortSignal): Promise<PreStartedProcess> {
    const deps = {
      ...this.#deps,
      spawnTurns: this.#spawnTurns,
      onGone: (directory: InstanceDirectory) => this.#remove(directory),
    };
    const process = await PreStartedProcess.start(deps, { id: `p${++this.#preStarted}`, ...start }, signal);
    const gone = process.group.gone.finally(() => this.#processes.delete(gone));
    this.#processes.add(gone);
    return process;
  }

  /** Nobody waits for it but the closing: a function may have filled its directory. What stays, the next start removes. */
  #remove(directory: InstanceDirectory): void {
    const removal = removeInstanceDirectory(directory)
      .catch((error: unknown) =>
        this.#deps.keepers.logger.warn("the directory of an instance could not be removed", {
          directory: directory.path,
          error: String(error),
        }),
      )
      .finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
  }

  /** One look for all instances; the next waits until this one is back. */
  async #measureMemory(): Promise<void> {
    if (!this.abilities.limitsMemory || this.#isMeasuring || this.#instances.size === 0) return;
    this.#isMeasuring = true;
    try {
      const measured = new Map([...this.#instances.values()].map((entry) => [entry.instance.pid, entry]));
      for (const use of await this.#deps.keepers.watch.look([...measured.keys()])) {
        const entry = measured.get(use.group);
        entry?.instance.observeMemory(use.memoryBytes, entry.memoryBytesMax);
      }
    } catch (error) {
      this.#deps.keepers.logger.error("memory of instances could not be measured", { error: String(error) });
    } finally {
      this.#isMeasuring = false;
    }
  }

  async #end(): Promise<void> {
    this.#closing.abort(new Error("the runtime is closing"));
    await Promise.allSettled([...this.#starts]);
    await this.#pool[Symbol.asyncDispose]();
    await Promise.all([...this.#instances.values()].map(({ instance }) => instance.destroy()));
    // All are being ended now, some since before and unasked; each leaves a directory.
    await Promise.all(this.#processes);
    await Promise.all(this.#removals);
  }
}

function isDiskFull(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT");
}
