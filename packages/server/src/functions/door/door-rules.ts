import type { Socket } from "node:net";
import { type AnyRoute, Problem } from "@chaya/contract";
import type { Authenticate } from "../../http/authenticate.ts";
import type { Connection } from "../../http/front/connections.ts";
import { isOwnUser } from "../../http/front/control-rules.ts";
import type { Asked, FrontRules } from "../../http/front/front-rules.ts";
import type { PeerUid } from "../../http/front/peer-uid.ts";
import { type Admitted, anonymous } from "../../http/principal.ts";
import type { InstanceDoor } from "./instance-door.ts";

export interface DoorRulesOptions {
  readonly routes: readonly AnyRoute[];
  readonly peerUid: PeerUid;
  readonly authenticate: Authenticate;
  /** The door through which a connection came. */
  readonly doorOf: (socket: Socket) => Pick<InstanceDoor, "isPrivate" | "caller">;
}

/**
 * The rules of the function door. On our own routes its connection says who asks. On OCI's a request asks as nobody, or,
 * signed with the resource principal of the instance's own function, as that: what an instance can do there is what its
 * credentials can, whatever the platform's own users may. What must be kept out are others of this machine who found its
 * port: pages (they have an Origin, and rebound names a foreign Host) and other users' processes.
 */
export function createDoorRules(options: DoorRulesOptions): FrontRules {
  const served = describe(options.routes);
  return {
    dialect: "chaya",
    hostKind: (host) => (ownName.test(host) ? "own" : "unknown"),
    admit: (route, connection, asked) => {
      const { origin } = asked.headers;
      if (origin !== undefined) throw new Problem("origin-refused", { origin });
      if (asked.headers["sec-fetch-site"] === "cross-site")
        throw new Problem("origin-refused", { origin: "another site" });
      const { isPrivate } = options.doorOf(connection.socket);
      const admitted = admit(options, { route, connection, asked });
      return isPrivate ? admitted : refuseOtherUsers(options, connection, admitted);
    },
    pathNotFound: (method, path) => new Problem("door-path-not-found", { method, path, served }),
  };
}

/** The names in OCI_LOCAL_ENDPOINT and its usual other spelling; the port is whatever the runtime took. */
const ownName = /^(?:127\.0\.0\.1|localhost)(?::\d{1,5})?$/i;

const asNobody: Admitted = { principal: anonymous };

/** Throws as `Authenticate` does. */
function admit(
  { authenticate, doorOf }: DoorRulesOptions,
  { route, connection, asked }: { readonly route: AnyRoute; readonly connection: Connection; readonly asked: Asked },
): Admitted {
  // Credentials that are presented are judged wherever they come, and none is known on our own routes.
  if (route.dialect !== "oci") {
    if (asked.headers.authorization !== undefined) throw new Problem("credentials-invalid");
    return asNobody;
  }
  const admitted = authenticate(asked.request, { route, peer: asked.peer });
  if (admitted === undefined) return asNobody;
  const { kind, id } = admitted.principal;
  // A user's key or another function's token are right elsewhere: nobody brings them here.
  if (kind !== "resource" || id !== doorOf(connection.socket).caller.function.id)
    throw new Problem("credentials-invalid");
  return admitted;
}

/** Throws `peer-refused`. */
async function refuseOtherUsers(
  { peerUid }: DoorRulesOptions,
  connection: Connection,
  admitted: Admitted,
): Promise<Admitted> {
  connection.isOwnUser ??= isOwnUser({ peerUid, ownUid: process.getuid?.() }, connection);
  if (!(await connection.isOwnUser)) throw new Problem("peer-refused");
  return admitted;
}

/** What an instance that asked for something else is told that there is. */
function describe(routes: readonly AnyRoute[]): string {
  const own = routes.filter(({ dialect }) => dialect !== "oci").map(({ method, path }) => `${method} ${path}`);
  const oci = routes.filter(({ dialect }) => dialect === "oci").map(({ path }) => `/${path.split("/")[1]}`);
  return [...own, ...(oci.length === 0 ? [] : [`OCI's APIs below ${[...new Set(oci)].sort().join(" and ")}`])].join(
    ", ",
  );
}
