import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { promisify } from "node:util";
import { digestOfImage, Problem } from "@chaya/contract";
import { assert } from "../../../kernel/assert.ts";
import type { Clock } from "../../../kernel/clock.ts";
import { Lifetime } from "../../../kernel/lifetime.ts";
import type { Logger } from "../../../kernel/logger.ts";
import type {
  InstanceSpec,
  OpenBundle,
  PrepareResult,
  RuntimeAbilities,
  RuntimeDriver,
  StartResult,
} from "../driver.ts";
import { BundleCache } from "./bundle-cache.ts";
import { DescriptorGuard } from "./descriptor-guard.ts";
import { endLeftovers } from "./end-leftovers.ts";
import { type InstanceDirectory, removeInstanceDirectory } from "./instance-directory.ts";
import { Lifeline } from "./lifeline.ts";
import type { ProcessInstance } from "./process-instance.ts";
import { ProcessWatch } from "./process-watch.ts";
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
  /** Where sockets go when `directory` has too long a path for them; the system's temporary directory when absent. */
  readonly shortDirectory?: string;
}

/** How often memory is measured: an instance may be beyond its limit for so long. */
const memorySweepMs = 250;
const mebi = 1024 * 1024;
const setpriv = "/usr/bin/setpriv";

/** Runs each instance as a process of this machine. First ends what instances of an earlier server left running. */
export async function createProcessRuntime(options: ProcessRuntimeOptions): Promise<RuntimeDriver> {
  const { clock, logger } = options;
  await mkdir(options.directory, { recursive: true, mode: 0o700 });
  await mkdir(options.bundlesDirectory, { recursive: true, mode: 0o700 });
  await endLeftovers({ instancesDirectory: options.directory, clock, logger });
  const lifetime = new Lifetime();
  const bundles = lifetime.own(await BundleCache.open(options.bundlesDirectory, options));
  const watch = lifetime.own(new ProcessWatch());
  const lifeline = lifetime.own(new Lifeline(logger));
  const guard = new DescriptorGuard();
  lifetime.onClose(() => guard[Symbol.dispose]());
  const host = { nodePath: options.nodePath, setprivPath: await usableSetpriv(), hostName: hostname() };
  return new ProcessRuntime({
    host,
    stdio: guard.stdio,
    bundles,
    lifetime,
    keepers: { clock, logger, watch, lifeline },
    instancesDirectory: options.directory,
    shortDirectory: options.shortDirectory ?? tmpdir(),
  });
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

type Deps = Omit<StartDeps, "onInstance" | "onGone"> & {
  readonly bundles: BundleCache;
  readonly lifetime: Lifetime;
};

/** Open until disposed; then starts answer `aborted`, and disposing waits until every instance is gone. */
class ProcessRuntime implements RuntimeDriver {
  readonly name = "process";
  readonly abilities: RuntimeAbilities;
  readonly #deps: Deps;
  readonly #closing = new AbortController();
  readonly #instances = new Map<string, { readonly instance: ProcessInstance; readonly memoryBytesMax: number }>();
  readonly #starts = new Set<Promise<StartResult>>();
  readonly #removals = new Set<Promise<void>>();
  #isMeasuring = false;

  constructor(deps: Deps) {
    this.#deps = deps;
    this.abilities = { isolation: "none", limitsMemory: existsSync("/proc/self/status"), endsEscapees: false };
    const { clock } = deps.keepers;
    const sweep = clock.every(memorySweepMs, () => void this.#measureMemory());
    deps.lifetime.onClose(() => this.#end());
    deps.lifetime.onClose(() => sweep.cancel());
  }

  canRun(image: string): boolean {
    return digestOfImage(image) !== undefined;
  }

  async prepare(image: string, signal: AbortSignal): Promise<PrepareResult> {
    const digest = digestOfImage(image);
    if (digest === undefined)
      return { kind: "image-unavailable", reason: "no runtime here can fetch it; deploy code with chaya deploy" };
    return await this.#deps.bundles.prepare(digest, AbortSignal.any([signal, this.#closing.signal]));
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

  [Symbol.asyncDispose](): Promise<void> {
    return this.#deps.lifetime[Symbol.asyncDispose]();
  }

  async #start(spec: InstanceSpec, signal: AbortSignal): Promise<StartResult> {
    assert(/^[\w-]{1,64}$/.test(spec.instanceId), "the id of an instance becomes the name of its directory");
    const digest = digestOfImage(spec.image) ?? "";
    const use = this.#deps.bundles.use(digest);
    let isStarted = false;
    try {
      const prepared = await this.prepare(spec.image, signal);
      if (prepared.kind !== "ready") return prepared;
      const codeDirectory = this.#deps.bundles.directoryOf(digest);
      const result = await startInstance(this.#startDeps(use), { spec, codeDirectory }, signal);
      isStarted = result.kind === "started";
      return result;
    } catch (error) {
      if (signal.aborted) return { kind: "aborted" };
      throw isDiskFull(error) ? new Problem("storage-full", { freeBytes: 0 }, { cause: error }) : error;
    } finally {
      if (!isStarted) use[Symbol.dispose]();
    }
  }

  #startDeps(use: Disposable): StartDeps {
    return {
      ...this.#deps,
      onInstance: (instance, spec) =>
        this.#instances.set(instance.id, { instance, memoryBytesMax: spec.memoryMiB * mebi }),
      onGone: (instanceId, directory) => {
        this.#instances.delete(instanceId);
        use[Symbol.dispose]();
        this.#remove(directory);
      },
    };
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
      const measured = new Map([...this.#instances.values()].map((entry) => [entry.instance.group, entry]));
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
    await Promise.all([...this.#instances.values()].map(({ instance }) => instance.destroy()));
    await Promise.all(this.#removals);
  }
}

function isDiskFull(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT");
}
