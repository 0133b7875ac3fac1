import { join } from "node:path";
import { z } from "zod";
import type { Clock } from "../kernel/clock.ts";
import type { NewId } from "../kernel/ids.ts";
import type { Logger } from "../kernel/logger.ts";
import type { Random } from "../kernel/random.ts";
import type { PayloadDriver } from "./payload/driver.ts";
import type { OpenBundle, RuntimeDriver } from "./runtime/driver.ts";
import type { Store } from "./store/driver.ts";
import { mainMigrations } from "./store/migrations/main-migrations.ts";
import { telemetryMigrations } from "./store/migrations/telemetry-migrations.ts";
import type { MainTables, TelemetryTables } from "./store/tables.ts";

// The one place that names implementations. Each is loaded when it is chosen, and not before.

/** Resources and work in one store, call records and log lines in another: neither waits for the other's commits. */
export interface Stores {
  readonly main: Store<MainTables>;
  readonly telemetry: Store<TelemetryTables>;
}

interface StoreDeps {
  readonly clock: Clock;
  readonly random: Random;
}

/** An implementation: the shape of its options, and how to open it with them. */
interface StoreDriver<Options> {
  readonly options: z.ZodType<Options>;
  /** Throws `store-unfit` when a newer version wrote the data, `store-damaged` or `store-unavailable` when it cannot be opened. */
  open(options: Options, deps: StoreDeps): Promise<Stores>;
}

/** As `StoreDriver`, for a runtime. */
export interface RuntimeEntry<Options> {
  readonly options: z.ZodType<Options>;
  /** Ends what instances of an earlier server left running before it resolves. */
  open(options: Options, deps: RuntimeDeps): Promise<RuntimeDriver>;
}

const embedded: StoreDriver<{ directory: string }> = {
  /** `directory`: absolute, made by the caller, used by this process alone. */
  options: z.strictObject({ directory: z.string().startsWith("/") }),
  open: async ({ directory }, { clock }) => {
    const { openEmbeddedStore } = await import("./store/embedded/embedded-store.ts");
    return openBoth(
      () => openEmbeddedStore<MainTables>({ file: join(directory, "main.db"), migrations: mainMigrations, clock }),
      () =>
        openEmbeddedStore<TelemetryTables>({
          file: join(directory, "telemetry.db"),
          migrations: telemetryMigrations,
          clock,
          isBackground: true,
        }),
    );
  },
};

const postgres: StoreDriver<{ url: string }> = {
  options: z.strictObject({ url: z.url({ protocol: /^postgres(ql)?$/ }) }),
  open: async ({ url }, deps) => {
    const { openPostgresStore } = await import("./store/postgres/postgres-store.ts");
    return openBoth(
      () => openPostgresStore<MainTables>({ url, schema: "chaya", migrations: mainMigrations, ...deps }),
      () =>
        openPostgresStore<TelemetryTables>({
          url,
          schema: "chaya_telemetry",
          migrations: telemetryMigrations,
          ...deps,
        }),
    );
  },
};

export const storeDrivers = { embedded, postgres } as const;

export interface RuntimeDeps {
  readonly openBundle: OpenBundle;
  readonly clock: Clock;
  readonly logger: Logger;
}

const processRuntime: RuntimeEntry<{
  directory: string;
  nodePath: string;
  sandbox: "auto" | "bwrap" | "none";
  preStartedMax?: number | undefined;
}> = {
  /** `directory`: the data directory; `nodePath`: the Node that runs functions. */
  options: z.strictObject({
    directory: z.string().startsWith("/"),
    nodePath: z.string().startsWith("/"),
    sandbox: z.enum(["auto", "bwrap", "none"]),
    /** Processes that may wait for a function. */
    preStartedMax: z.int().min(0).optional(),
  }),
  open: async ({ directory, nodePath, sandbox: choice, preStartedMax }, { openBundle, ...deps }) => {
    const { createProcessRuntime } = await import("./runtime/process/create-process-runtime.ts");
    const { openSandbox } = await import("./runtime/process/sandbox/open-sandbox.ts");
    const [instances, bundles] = [join(directory, "instances"), join(directory, "bundles")];
    const where = { directory: join(directory, "sandbox"), instancesDirectory: instances };
    const sandbox = await openSandbox({ ...deps, ...where, choice, nodePath });
    const directories = { directory: instances, bundlesDirectory: bundles };
    return createProcessRuntime({ ...deps, ...directories, openBundle, nodePath, sandbox, preStartedMax });
  },
};

export const runtimeDrivers = { process: processRuntime } as const;

/** An implementation of the payload driver. */
export interface PayloadEntry<Options> {
  readonly options: z.ZodType<Options>;
  open(options: Options, deps: PayloadDeps): Promise<PayloadDriver>;
}

export interface PayloadDeps {
  readonly clock: Clock;
  readonly ids: NewId;
  readonly logger: Logger;
}

const filesystem: PayloadEntry<{ directory: string; server: string }> = {
  /** `directory`: absolute; servers may share it. `server`: the id of this one. */
  options: z.strictObject({ directory: z.string().startsWith("/"), server: z.string().min(1) }),
  open: async (options, deps) => {
    const { openFilesystemPayloads } = await import("./payload/filesystem/index.ts");
    return openFilesystemPayloads(deps, options);
  },
};

export const payloadDrivers = { filesystem } as const;

/** Both or none. */
async function openBoth(
  openMain: () => Promise<Store<MainTables>>,
  openTelemetry: () => Promise<Store<TelemetryTables>>,
): Promise<Stores> {
  const main = await openMain();
  try {
    return { main, telemetry: await openTelemetry() };
  } catch (error) {
    await main[Symbol.asyncDispose]();
    throw error;
  }
}
