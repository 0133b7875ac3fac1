import { mkdtempSync, rmSync } from "node:fs";
import { createServer, request as httpRequest, type IncomingMessage, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { limits } from "@chaya/contract";
import type { PayloadDriver } from "../drivers/payload/driver.ts";
import { openFilesystemPayloads } from "../drivers/payload/filesystem/index.ts";
import { createInvocation, type Invocation, type InvocationDeps } from "../functions/invocation.ts";
import type { FunctionRecord } from "../functions/model.ts";
import { noAudit } from "../http/audit.ts";
import { administratorOnly } from "../http/authorize.ts";
import { failExchange } from "../http/fail-exchange.ts";
import { anonymous } from "../http/principal.ts";
import { assert } from "../kernel/assert.ts";
import { createIds } from "../kernel/ids.ts";
import { Lifetime } from "../kernel/lifetime.ts";
import { silentLogger } from "../kernel/logger.ts";
import { seededRandom, systemRandom } from "../kernel/random.ts";
import type { CapturedInput, ObservedCall, ObservedLine } from "../seams.ts";
import type { WorkQueue } from "../work/work.ts";
import { createWorkQueue } from "../work/work-queue.ts";
import { ManualClock } from "./manual-clock.ts";
import { MemoryDirectory } from "./memory-directory.ts";
import { type Script, ScriptedRuntime } from "./scripted-runtime.ts";
import { type OpenTestStore, testStores } from "./stores.ts";

export interface RigOptions {
  readonly answer?: Script["answer"];
  readonly start?: Script["start"];
  /** Overrides of what the invocation gets. */
  readonly deps?: Partial<InvocationDeps>;
  readonly clock?: ManualClock;
  /** A store that outlives the rig; a fresh embedded one when absent. */
  readonly opened?: OpenTestStore;
}

export interface RigAnswer {
  readonly status: number;
  /** Lower-case names; repeated ones joined as Node joins them. */
  readonly headers: IncomingMessage["headers"];
  readonly rawHeaders: readonly string[];
  readonly body: string;
}

/** The invocation core behind a real HTTP server, with scripted functions, on a real store. Disposing closes it all. */
export class InvocationRig implements AsyncDisposable {
  readonly clock: ManualClock;
  readonly script: Script;
  readonly runtime: ScriptedRuntime;
  readonly directory = new MemoryDirectory();
  readonly invocation: Invocation;
  readonly store: OpenTestStore;
  readonly payloads: PayloadDriver;
  readonly work: WorkQueue;
  readonly calls: ObservedCall[] = [];
  readonly lines: ObservedLine[] = [];
  readonly captured: CapturedInput[] = [];
  readonly port: number;
  readonly #lifetime: Lifetime;
  readonly #server: Server;
  readonly #after: AsyncDisposable[] = [];

  private constructor(parts: {
    readonly options: RigOptions;
    readonly clock: ManualClock;
    readonly store: OpenTestStore;
    readonly payloads: PayloadDriver;
    readonly lifetime: Lifetime;
    readonly server: Server;
  }) {
    const { options, clock, lifetime } = parts;
    this.clock = clock;
    this.store = parts.store;
    this.payloads = parts.payloads;
    this.#lifetime = lifetime;
    this.#server = parts.server;
    this.port = portOf(parts.server);
    this.script = { answer: options.answer ?? greet, ...(options.start && { start: options.start }) };
    this.runtime = lifetime.own(new ScriptedRuntime(this.script));
    const shared = { clock, logger: silentLogger(), random: seededRandom(1), ids: createIds(clock, systemRandom()) };
    this.work = lifetime.own(createWorkQueue({ ...shared, store: parts.store.store, placesMax: 1_000 }));
    this.invocation = lifetime.own(
      createInvocation({
        ...shared,
        directory: this.directory,
        places: { root: { compartmentId: "C" }, function: () => ({ compartmentId: "C" }) },
        authorize: administratorOnly,
        audit: noAudit,
        runtime: this.runtime,
        store: parts.store.store,
        payloads: parts.payloads,
        work: this.work,
        readSecrets: async () => ({}),
        issueCredential: async ({ functionId }) => ({
          ...{ token: `header.${functionId}.signature`, privateKey: `key of ${functionId}` },
          refreshAtMs: clock.nowMs() + limits.resourceTokenRefreshMs,
        }),
        redact: (_application, bytes) => bytes,
        tellsStartOutput: () => true,
        observeCall: (call) => this.calls.push(call),
        observeLine: (line) => this.lines.push(line),
        captureInput: (input) => this.captured.push(input),
        limits: nodeLimits,
        liveNodes: () => 1,
        chainKey: Buffer.alloc(32, 7),
        cors: { origins: [], headers: [] },
        region: "us-ashburn-1",
        ...options.deps,
      }),
    );
    this.invocation.start({ routes: [], authenticate: () => undefined });
    this.#serve();
  }

  static async open(options: RigOptions = {}): Promise<InvocationRig> {
    const clock = options.clock ?? new ManualClock();
    const lifetime = new Lifetime();
    const store = options.opened ?? (await openStore(clock));
    if (options.opened === undefined) lifetime.own(store);
    const directory = mkdtempSync(join(tmpdir(), "rig-"));
    lifetime.onClose(() => rmSync(directory, { recursive: true, force: true }));
    const ids = createIds(clock, systemRandom());
    const payloads = lifetime.own(await openFilesystemPayloads({ clock, ids, logger: silentLogger() }, { directory }));
    const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0 });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const rig = new InvocationRig({ options, clock, store, payloads, lifetime, server });
    lifetime.onClose(() => rig.#closeServer());
    return rig;
  }

  /** Closes it when the rig has stopped using it. */
  owns(resource: AsyncDisposable): void {
    this.#after.push(resource);
  }

  /** An application `app` with one function, and a trigger `/hook` on it. */
  addFunction(name: string, given: Parameters<MemoryDirectory["addFunction"]>[2] = {}): FunctionRecord {
    const application = this.directory.applicationNamed("app") ?? this.directory.addApplication("app");
    return this.directory.addFunction(application.id, name, given);
  }

  invoke(fn: { readonly id: string }, body = "", headers: RequestHeaders = {}): Promise<RigAnswer> {
    return this.request("POST", `/invoke/${fn.id}`, { body, headers });
  }

  /** A request with a connection of its own. */
  async request(
    method: string,
    path: string,
    given: { readonly body?: string; readonly headers?: RequestHeaders } = {},
  ): Promise<RigAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const sent = httpRequest({
      port: this.port,
      host: "127.0.0.1",
      method,
      path,
      headers: given.headers ?? {},
      agent: false,
    });
    sent.on("response", resolve).on("error", reject);
    sent.end(given.body);
    const answer = await promise;
    const parts: Buffer[] = [];
    for await (const part of answer) parts.push(part);
    return {
      status: answer.statusCode ?? 0,
      headers: answer.headers,
      rawHeaders: answer.rawHeaders,
      body: Buffer.concat(parts).toString(),
    };
  }

  /** A bare connection to the server. */
  connect(): Socket {
    return connect(this.port, "127.0.0.1");
  }

  /** Resolves with the first call observed that satisfies `condition`, also one of the past. */
  async observed(condition: (call: ObservedCall) => boolean): Promise<ObservedCall> {
    for (;;) {
      const found = this.calls.find(condition);
      if (found !== undefined) return found;
      await turn();
    }
  }

  async until(condition: () => boolean | Promise<boolean>): Promise<void> {
    while (!(await condition())) await turn();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lifetime[Symbol.asyncDispose]();
    for (const resource of this.#after) await resource[Symbol.asyncDispose]();
  }

  #serve(): void {
    let requests = 0;
    this.#server.on("request", (request, response) => {
      const [path = "", query = ""] = (request.url ?? "").split("?");
      const exchange = {
        request,
        response,
        path,
        query,
        requestId: `R${++requests}`,
        peer: "127.0.0.1",
        principal: anonymous,
      };
      const serve = path.startsWith("/invoke/") ? this.invocation.invoke : this.invocation.trigger;
      const route = { dialect: "fn", door: "data", path } as const;
      const deps = { logger: silentLogger(), limits: { refusedBodyBytesMax: 1024 * 1024 } };
      const fail = (error: unknown) => failExchange(deps, { exchange, route }, error);
      void (async () => serve(exchange))().catch(fail);
    });
  }

  async #closeServer(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export type RequestHeaders = Readonly<Record<string, string | string[]>>;

export const nodeLimits = {
  memoryMiBMax: 4096,
  instancesMax: 64,
  instancesPerApplicationMax: 64,
  startsMax: 2,
  waitingCallsMax: 10_000,
  requestBodyBytesMax: limits.requestBodyBytesMax,
  responseBodyBytesMax: limits.responseBodyBytesMax,
};

export const greet: Script["answer"] = async ({ response, body }) => {
  response.end(`hello ${await body()}`);
};

/** A fresh embedded store. */
export async function openStore(clock?: ManualClock): Promise<OpenTestStore> {
  const [embedded] = testStores();
  assert(embedded !== undefined, "there are stores to test on");
  return embedded.open(clock);
}

/** One turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function portOf(server: Server): number {
  // A TCP server that listens has an address of this kind.
  return (server.address() as AddressInfo).port;
}
