import type { Socket } from "node:net";
import { limits } from "@chaya/contract";
import type { Application, FunctionRecord } from "../model.ts";

/** Which instance asks, as the platform knows it: nothing that is sent can change it. */
export interface DoorCaller {
  /** Of the instance. */
  readonly id: string;
  readonly application: Pick<Application, "id" | "name">;
  readonly function: Pick<FunctionRecord, "id" | "name" | "image" | "memoryMiB">;
  readonly startedAtMs: number;
  /** The call it is busy with now, when that is exactly one. */
  readonly callId: string | undefined;
}

export interface InstanceDoorOptions {
  readonly caller: DoorCaller;
  /** Its connections cannot come from elsewhere on this machine: it has a network of its own. */
  readonly isPrivate: boolean;
  /** The first of the connections that were too many was closed. */
  readonly onExcess: () => void;
}

/**
 * The door of one instance: open → revoked. While open, what comes on its connections was asked by this instance.
 * Revoking ends its connections and refuses new ones, at once and for good.
 */
export class InstanceDoor {
  readonly caller: DoorCaller;
  readonly isPrivate: boolean;
  readonly #onExcess: () => void;
  readonly #serve: (door: InstanceDoor, socket: Socket) => void;
  readonly #sockets = new Set<Socket>();
  #isRevoked = false;
  #hadExcess = false;

  constructor(options: InstanceDoorOptions, serve: (door: InstanceDoor, socket: Socket) => void) {
    this.caller = options.caller;
    this.isPrivate = options.isPrivate;
    this.#onExcess = options.onExcess;
    this.#serve = serve;
  }

  get isRevoked(): boolean {
    return this.#isRevoked;
  }

  readonly accept = (socket: Socket): void => {
    if (this.#isRevoked) {
      socket.destroy();
    } else if (this.#sockets.size >= limits.doorConnectionsPerInstanceMax) {
      socket.destroy();
      if (!this.#hadExcess) this.#onExcess();
      this.#hadExcess = true;
    } else {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      this.#serve(this, socket);
    }
  };

  revoke(): void {
    this.#isRevoked = true;
    for (const socket of this.#sockets) socket.destroy();
  }
}
