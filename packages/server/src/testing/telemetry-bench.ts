import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type AnyRoute,
  isProblem,
  type RouteParameters,
  type RouteQueryInput,
  type RouteResult,
} from "@chaya/contract";
import { chayaRoutes } from "@chaya/contract/chaya";
import type { PayloadDriver } from "../drivers/payload/driver.ts";
import { openFilesystemPayloads } from "../drivers/payload/filesystem/index.ts";
import type { Store } from "../drivers/store/driver.ts";
import type { MainTables, TelemetryTables } from "../drivers/store/tables.ts";
import { noAudit } from "../http/audit.ts";
import { administratorOnly } from "../http/authorize.ts";
import { administrator } from "../http/principal.ts";
import { assert } from "../kernel/assert.ts";
import { createIds, type NewId } from "../kernel/ids.ts";
import { type Logger, silentLogger } from "../kernel/logger.ts";
import { seededRandom } from "../kernel/random.ts";
import type { FunctionGauges, ObservedCall, ObservedLine, RedactSecrets, ResolveFunctions } from "../seams.ts";
import {
  createTelemetry,
  type MetricFamily,
  type Telemetry,
  type TelemetryDeps,
  type TelemetryLimits,
  telemetryLimits,
} from "../telemetry/index.ts";
import { ManualClock } from "./manual-clock.ts";
import { onePlace } from "./one-place.ts";
import type { OpenTestStore, TestStore } from "./stores.ts";

export interface BenchFunction {
  readonly id: string;
  readonly name: string;
  readonly applicationId: string;
  readonly applicationName: string;
}

export interface TelemetryBenchOptions {
  readonly limits?: Partial<TelemetryLimits>;
  /** Runs before each write of telemetry; what it throws is the write's failure. */
  readonly beforeApply?: () => Promise<void> | void;
}

/** Telemetry over a real store and real payloads, with two applications, served by a bare HTTP server. */
export class TelemetryBench implements AsyncDisposable {
  readonly clock: ManualClock;
  readonly ids: NewId;
  readonly logged: string[] = [];
  readonly gauges: FunctionGauges[] = [];
  readonly families: MetricFamily[] = [];
  readonly hello: BenchFunction;
  readonly resize: BenchFunction;
  readonly billing: BenchFunction;
  /** Functions that still exist. */
  readonly functions = new Map<string, BenchFunction>();
  readonly main: Store<MainTables>;
  store: Store<TelemetryTables>;
  payloads: PayloadDriver;
  telemetry: Telemetry;
  readonly origin: string;
  readonly #deps: Omit<TelemetryDeps, "nodeId">;
  readonly #closers: (() => PromiseLike<unknown>)[] = [];

  static async open(testStore: TestStore, options: TelemetryBenchOptions = {}): Promise<TelemetryBench> {
    const clock = new ManualClock();
    const opened = await testStore.open(clock);
    const directory = await mkdtemp(join(tmpdir(), "chaya-telemetry-"));
    const ids = createIds(clock, seededRandom(21));
    const payloads = await openFilesystemPayloads({ clock, ids, logger: silentLogger() }, { directory });
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const bench = new TelemetryBench({ clock, ids, payloads, opened, server, options });
    bench.#closers.push(
      () => bench.telemetry[Symbol.asyncDispose](),
      async () => {
        server.closeAllConnections();
        server.close();
      },
      () => payloads[Symbol.asyncDispose](),
      () => opened[Symbol.asyncDispose](),
      () => rm(directory, { recursive: true }),
    );
    return bench;
  }

  private constructor(parts: {
    clock: ManualClock;
    ids: NewId;
    payloads: PayloadDriver;
    opened: OpenTestStore;
    server: ReturnType<typeof createServer>;
    options: TelemetryBenchOptions;
  }) {
    this.clock = parts.clock;
    this.ids = parts.ids;
    this.payloads = parts.payloads;
    this.store = parts.opened.telemetry;
    // A listening server has an address object; only pipes have a string.
    this.origin = `http://127.0.0.1:${(parts.server.address() as AddressInfo).port}`;
    parts.server.on("request", (request, response) => void this.#serve(request, response));
    const [photos, shop] = [this.ids(), this.ids()];
    this.hello = this.#addFunction("hello", photos, "photos");
    this.resize = this.#addFunction("resize", photos, "photos");
    this.billing = this.#addFunction("billing", shop, "shop");
    this.main = parts.opened.store;
    this.#deps = {
      ...parts,
      store: withFaults(parts.opened.telemetry, parts.options.beforeApply ?? (() => {})),
      logger: recordingLogger(this.logged),
      resolve: resolver(this.functions),
      places: onePlace,
      authorize: administratorOnly,
      audit: noAudit,
      redact,
      readGauges: () => this.gauges,
      readFamilies: async () => this.families,
      limits: { ...telemetryLimits, ...parts.options.limits },
    };
    this.telemetry = this.telemetryOf("node");
  }

  /** Another node's, over the same store; the caller disposes it. */
  telemetryOf(nodeId: string): Telemetry {
    return createTelemetry({ ...this.#deps, nodeId });
  }

  /** A finished call of `hello`. */
  call(changes: Partial<ObservedCall> & { of?: BenchFunction } = {}): ObservedCall {
    const { of: fn = this.hello, ...rest } = changes;
    const nowMs = this.clock.nowMs();
    return {
      id: this.ids(),
      applicationId: fn.applicationId,
      applicationName: fn.applicationName,
      functionId: fn.id,
      functionName: fn.name,
      image: "bundle/photos/hello:sha256-1",
      source: "direct",
      status: "succeeded",
      attempt: 1,
      httpStatus: 200,
      acceptedAtMs: nowMs,
      startedAtMs: nowMs,
      finishedAtMs: nowMs,
      waitUs: 1500,
      runUs: 20_000,
      isColdStart: false,
      requestBytes: 10,
      responseBytes: 20,
      memoryMiB: 128,
      problem: undefined,
      causeId: undefined,
      traceId: undefined,
      ...rest,
    };
  }

  /** Tells telemetry of a line of `hello`. */
  print(text: string | Uint8Array, changes: Partial<ObservedLine> & { of?: BenchFunction } = {}): void {
    const { of: fn = this.hello, ...rest } = changes;
    this.telemetry.observeLine({
      atMs: this.clock.nowMs(),
      applicationId: fn.applicationId,
      applicationName: fn.applicationName,
      functionId: fn.id,
      functionName: fn.name,
      callId: undefined,
      stream: "stdout",
      bytes: Buffer.from(text),
      isCut: false,
      ...rest,
    });
  }

  /** Asks a control route as the control server does: its schemas parse what is given. */
  async ask<R extends AnyRoute>(
    route: R,
    given: { params?: RouteParameters<R>; query?: RouteQueryInput<R> } = {},
  ): Promise<RouteResult<R>> {
    const entry = this.telemetry.routes.find((candidate) => candidate.route === route);
    assert(entry !== undefined, `${route.path} is a route of telemetry`);
    const { result } = await entry.handle({
      params: given.params ?? {},
      query: route.query?.().parse(given.query ?? {}),
      body: undefined,
      principal: administrator,
      may: () => true,
      headers: {},
      requestId: "request",
      signal: new AbortController().signal,
    });
    // The route's own schema describes it.
    return route.result?.().parse(result) as RouteResult<R>;
  }

  async listCalls(query: RouteQueryInput<typeof chayaRoutes.listCalls> = {}) {
    return this.ask(chayaRoutes.listCalls, { query });
  }

  async metrics(): Promise<string> {
    return (await fetch(`${this.origin}/metrics`)).text();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.#closers) await close();
  }

  #addFunction(name: string, applicationId: string, applicationName: string): BenchFunction {
    const fn = { id: this.ids(), name, applicationId, applicationName };
    this.functions.set(fn.id, fn);
    return fn;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path = "", query = ""] = (request.url ?? "").split("?");
    const isInput = path.endsWith("/input");
    const route = isInput ? chayaRoutes.getCallInput : chayaRoutes.readLogs;
    const stream = this.telemetry.streams.find((candidate) => candidate.route === route);
    const serve = path === "/metrics" ? this.telemetry.metrics : stream?.serve;
    try {
      await serve?.({
        request,
        response,
        path,
        query,
        requestId: "request",
        peer: "127.0.0.1",
        principal: administrator,
      });
    } catch (error) {
      if (!isProblem(error)) this.logged.push(`failed: ${error}`);
      if (response.headersSent) response.destroy();
      else response.writeHead(isProblem(error) ? error.status : 500).end(isProblem(error) ? error.code : "bug");
    }
  }
}

/** Every secret of these applications is one of two words. */
const redact: RedactSecrets = (_applicationId, bytes) =>
  Buffer.from(
    Buffer.from(bytes)
      .toString("latin1")
      .replaceAll(/hunter2|swordfish/g, "[secret]"),
    "latin1",
  );

function resolver(functions: ReadonlyMap<string, BenchFunction>): ResolveFunctions {
  const all = () => [...functions.values()];
  return {
    application: (key) => {
      const found = all().find((fn) => fn.applicationId === key || fn.applicationName === key);
      return found && { id: found.applicationId, name: found.applicationName, compartmentId: "root" };
    },
    function: (key, applicationId) => {
      const found = all().find((fn) => fn.id === key || (fn.name === key && fn.applicationId === applicationId));
      return found && { ...found, image: "image" };
    },
  };
}

function withFaults(store: Store<TelemetryTables>, beforeApply: () => Promise<void> | void): Store<TelemetryTables> {
  return new Proxy(store, {
    get: (target, key) => {
      if (key === "apply") {
        return async (...given: Parameters<typeof store.apply>) => {
          await beforeApply();
          return target.apply(...given);
        };
      }
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

function recordingLogger(logged: string[]): Logger {
  const record = (message: string) => void logged.push(message);
  return { ...silentLogger(), warn: record, error: record };
}
