import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect, createServer as createListener, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import type {
  CredentialFiles,
  Instance,
  InstanceEnd,
  InstanceSpec,
  PrepareResult,
  RuntimeAbilities,
  RuntimeDriver,
  StartResult,
} from "../drivers/runtime/driver.ts";

/** One call as a scripted function sees it. */
export interface ScriptedCall {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The connection below, for answers that no HTTP server would give. */
  readonly socket: Socket;
  readonly instance: ScriptedInstance;
  /** The whole request body. */
  body(): Promise<Buffer>;
}

export interface Script {
  /** What the function does with a call; may be replaced while the runtime runs. */
  answer: (call: ScriptedCall) => void | Promise<void>;
  /** What starting does instead of starting; `undefined` lets it start. */
  start?: (spec: InstanceSpec, signal: AbortSignal) => Promise<StartResult | undefined>;
}

/** A runtime whose functions are scripts inside the test, behind real UNIX sockets. */
export class ScriptedRuntime implements RuntimeDriver {
  readonly name = "scripted";
  /** May be replaced before the first start. */
  abilities: RuntimeAbilities = { isolation: "none", limitsMemory: false, endsEscapees: true };
  readonly instances = new Set<ScriptedInstance>();
  /** Every spec that was asked to start, in order. */
  readonly specs: InstanceSpec[] = [];
  /** Most starts that were under way at once. */
  startsAtOnceMax = 0;
  readonly #script: Script;
  readonly #directory = mkdtempSync(join(tmpdir(), "scripted-"));
  #starting = 0;

  constructor(script: Script) {
    this.#script = script;
  }

  canRun(): boolean {
    return true;
  }

  async start(spec: InstanceSpec, signal: AbortSignal): Promise<StartResult> {
    const number = this.specs.push(spec);
    this.#starting++;
    this.startsAtOnceMax = Math.max(this.startsAtOnceMax, this.#starting);
    try {
      const instead = await this.#script.start?.(spec, signal);
      if (instead !== undefined) return instead;
      const credentials = await spec.credentials.files;
      const path = join(this.#directory, `${number}.sock`);
      const instance = new ScriptedInstance({ ...spec, credentials }, this.#script, path);
      await instance.listen();
      this.instances.add(instance);
      void instance.ended.then(() => this.instances.delete(instance));
      if (!signal.aborted) return { kind: "started", instance };
      await instance.destroy();
      return { kind: "aborted" };
    } finally {
      this.#starting--;
    }
  }

  async prepare(_image: string): Promise<PrepareResult> {
    return { kind: "ready" };
  }

  async forget(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.instances].map((instance) => instance.destroy()));
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Where a scripted function reaches its door: what `OCI_LOCAL_ENDPOINT` is to others. */
export class ScriptedDoor {
  readonly port: Promise<number>;
  readonly #listener: ReturnType<typeof createListener>;

  constructor(spec: Pick<InstanceSpec, "onDoorConnection">) {
    this.#listener = createListener((socket) => spec.onDoorConnection(socket));
    this.port = new Promise((resolve) => {
      // A listener on TCP has an address of this kind.
      this.#listener.listen(0, "127.0.0.1", () => resolve((this.#listener.address() as AddressInfo).port));
    });
  }

  async close(): Promise<void> {
    await this.port;
    this.#listener.close();
  }
}

export class ScriptedInstance implements Instance {
  readonly id: string;
  readonly spec: Omit<InstanceSpec, "credentials">;
  /** The files as they are now. */
  credentials: CredentialFiles;
  readonly ended: Promise<InstanceEnd>;
  /** Whatever it spawned is not gone before. */
  lingers: Promise<void> = Promise.resolve();
  calls = 0;
  connections = 0;
  #door: ScriptedDoor | undefined;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #path: string;
  readonly #end: (end: InstanceEnd) => void;

  constructor(
    { credentials, ...spec }: Omit<InstanceSpec, "credentials"> & { readonly credentials: CredentialFiles },
    script: Script,
    path: string,
  ) {
    this.id = spec.instanceId;
    this.spec = spec;
    this.credentials = credentials;
    this.#path = path;
    const { promise, resolve } = Promise.withResolvers<InstanceEnd>();
    this.ended = promise;
    this.#end = resolve;
    this.#server = createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, (request, response) => {
      this.calls++;
      const call = { request, response, socket: request.socket, instance: this, body: () => readAll(request) };
      void (async () => script.answer(call))().catch((error: unknown) => {
        // A function whose caller went away learns it as a failure to read.
        if (!request.destroyed) throw error;
      });
    });
    this.#server.on("connection", (socket: Socket) => {
      this.connections++;
      this.#sockets.add(socket);
      socket.on("error", () => {}).on("close", () => this.#sockets.delete(socket));
    });
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(this.#path, resolve));
  }

  connect(): Duplex {
    return connect(this.#path);
  }

  /** The port of its door, which it keeps until all of it is gone. */
  get doorPort(): Promise<number> {
    this.#door ??= new ScriptedDoor(this.spec);
    return this.#door.port;
  }

  /** The function prints a line. */
  print(text: string, stream: "stdout" | "stderr" = "stdout"): void {
    this.spec.onLine({ stream, bytes: Buffer.from(text), isCut: false });
  }

  /** The function's process ends by itself. */
  exit(end: Partial<InstanceEnd>): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    this.#end({ code: undefined, signal: undefined, isOutOfMemory: false, ...end });
  }

  async destroy(): Promise<void> {
    this.exit({ signal: "SIGKILL" });
    await this.ended;
    await this.lingers;
    await this.#door?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.destroy();
  }

  async replaceCredentials(files: CredentialFiles): Promise<void> {
    this.credentials = { ...this.credentials, ...files };
  }

  memoryBytes(): number | undefined {
    return undefined;
  }

  async flushOutput(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts);
}
