import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { usageError } from "../cli-error.ts";
import { isOwnConnection } from "./own-connection.ts";

export interface LocalInspectorOptions {
  /** The first port that is tried. */
  readonly port: number;
  readonly connect: () => Promise<Duplex>;
}

const loopback = "127.0.0.1";
const portsTriedMax = 100;
const portMax = 65_535;

/**
 * A port of this machine's loopback behind which the inspector of a function's instance is, for debuggers of the same
 * user. Disposing ends it with all its connections.
 */
export class LocalInspector implements AsyncDisposable {
  readonly port: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  /** Listens on the port, or on the next one that is free. */
  static async open({ port, connect }: LocalInspectorOptions): Promise<LocalInspector> {
    for (let tried = port; tried < port + portsTriedMax && tried <= portMax; tried++) {
      const server = await listen(tried);
      if (server === undefined) continue;
      const inspector = new LocalInspector(server, tried);
      server.on("connection", (socket) => inspector.#accept(socket, connect));
      return inspector;
    }
    throw usageError(`Port ${port} and those after it are taken.`, "Name another with: --inspect-port PORT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  #accept(socket: Socket, connect: LocalInspectorOptions["connect"]): void {
    this.#sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => this.#sockets.delete(socket));
    // A debugger learns by its end that a connection leads nowhere.
    void bridge(socket, connect).catch(() => socket.destroy());
  }
}

/** Undefined: it is taken. */
async function listen(port: number): Promise<Server | undefined> {
  const server = createServer({ pauseOnConnect: true });
  const failed = once(server, "error").then(([error]) => error);
  server.listen({ host: loopback, port });
  const outcome = await Promise.race([failed, once(server, "listening").then(() => undefined)]);
  if (outcome === undefined) return server;
  if (outcome.code === "EADDRINUSE") return undefined;
  if (outcome.code === "EACCES")
    throw usageError(`You may not listen on port ${port}.`, "Name another with: --inspect-port PORT");
  throw outcome;
}

/** Whoever gets to the inspector runs code as the function: other users of this machine do not. */
async function bridge(socket: Socket, connect: LocalInspectorOptions["connect"]): Promise<void> {
  if (!(await isOwnConnection(socket))) {
    socket.destroy();
    return;
  }
  const inside = await connect();
  inside.on("error", () => socket.destroy());
  inside.once("close", () => socket.destroy());
  socket.once("close", () => inside.destroy());
  if (socket.destroyed) inside.destroy();
  socket.pipe(inside).pipe(socket);
}
