import type { Socket } from "node:net";
import type { AnyRoute } from "@chaya/contract";
import type { Authenticate } from "../../http/authenticate.ts";
import type { Exchange, ServedRoute } from "../../http/exchange.ts";
import { createFront, type Front } from "../../http/front/front.ts";
import { type PeerUid, readPeerUid } from "../../http/front/peer-uid.ts";
import { assert } from "../../kernel/assert.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { NewId } from "../../kernel/ids.ts";
import type { Logger } from "../../kernel/logger.ts";
import { createDoorRules } from "./door-rules.ts";
import { type DoorCaller, InstanceDoor, type InstanceDoorOptions } from "./instance-door.ts";

/** A route with what answers it. A route that does not care which instance asks is served as anywhere else. */
export interface DoorRoute {
  readonly route: AnyRoute;
  readonly serve: (exchange: Exchange, caller: DoorCaller) => void | Promise<void>;
}

/** What the rest of the platform gives to the door. */
export interface DoorService {
  /** OCI's APIs: the same as on the main port, for whoever the door's rules say it is. */
  readonly routes: readonly ServedRoute[];
  readonly authenticate: Authenticate;
}

export interface FunctionDoorDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly ids: NewId;
  /** For tests; the kernel's tables otherwise. */
  readonly peerUid?: PeerUid;
}

/**
 * What functions ask the platform through: one server that listens nowhere. Runtimes give it the connections that an
 * instance made to its own door, so the connection says who asks. Serves its routes and nothing else. Closed → serving.
 */
export class FunctionDoor implements AsyncDisposable {
  readonly #deps: FunctionDoorDeps;
  readonly #own: readonly DoorRoute[];
  #front: Front | undefined;
  readonly #doors = new WeakMap<Socket, InstanceDoor>();

  constructor(deps: FunctionDoorDeps, own: readonly DoorRoute[]) {
    this.#deps = deps;
    this.#own = own;
  }

  /** Once, before the first instance is started. */
  serve({ routes, authenticate }: DoorService): void {
    const { clock, logger, ids, peerUid = readPeerUid } = this.#deps;
    const served = [...this.#own, ...routes].map(({ route, serve }): ServedRoute => {
      return { route, serve: (exchange) => this.#serve(exchange, serve) };
    });
    const rules = createDoorRules({
      routes: served.map(({ route }) => route),
      peerUid,
      authenticate,
      doorOf: (socket) => this.#doorOf(socket),
    });
    this.#front = createFront({ clock, logger, newId: ids, rules, trustedProxies: [], served });
  }

  /** The door of one instance, open at once. Whoever opens it revokes it. */
  open(options: InstanceDoorOptions): InstanceDoor {
    return new InstanceDoor(options, (door, socket) => {
      assert(this.#front !== undefined, "no instance is started before the door serves");
      this.#doors.set(socket, door);
      this.#front.accept(socket);
    });
  }

  /** Ends every connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#front?.[Symbol.asyncDispose]();
  }

  #serve(exchange: Exchange, serve: DoorRoute["serve"]): void | Promise<void> {
    const door = this.#doorOf(exchange.request.socket);
    // It may have been revoked after the request was read, while something was waited for.
    if (door.isRevoked) exchange.response.destroy();
    else return serve(exchange, door.caller);
  }

  #doorOf(socket: Socket): InstanceDoor {
    const door = this.#doors.get(socket);
    assert(door !== undefined, "each connection came through the door of an instance");
    return door;
  }
}
