import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";

/**
 * The listener through which one instance reaches the platform: closed to everybody until it is led to its owner,
 * and revoked for ever by `close`, connections included.
 */
export class InstanceDoor {
  readonly port: number;
  readonly #server: Server;
  readonly #connections = new Set<Socket>();
  #onConnection: ((connection: Socket) => void) | undefined;

  /** Takes over a server that listens on the loopback of the instance. */
  constructor(server: Server, port: number) {
    this.port = port;
    this.#server = server;
    server.on("connection", (socket) => this.#accept(socket));
    // Accepting fails when descriptors run out; the instance sees a connection that is not answered.
    server.on("error", () => this.close());
    server.unref();
  }

  /** Opens one on this machine's loopback. */
  static async open(): Promise<InstanceDoor> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    return new InstanceDoor(server, port);
  }

  leadTo(onConnection: (connection: Socket) => void): void {
    this.#onConnection = onConnection;
  }

  close(): void {
    this.#onConnection = undefined;
    this.#server.close();
    for (const connection of this.#connections) connection.destroy();
  }

  #accept(socket: Socket): void {
    if (this.#onConnection === undefined) {
      socket.destroy();
      return;
    }
    this.#connections.add(socket);
    socket.once("close", () => this.#connections.delete(socket));
    // Whoever owns it listens as well; one that nobody takes must not end the server.
    socket.on("error", () => socket.destroy());
    this.#onConnection(socket);
  }
}
