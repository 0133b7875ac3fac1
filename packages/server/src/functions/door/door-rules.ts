import type { Socket } from "node:net";
import { type AnyRoute, Problem } from "@chaya/contract";
import type { Connection } from "../../http/front/connections.ts";
import { isOwnUser } from "../../http/front/control-rules.ts";
import type { FrontRules } from "../../http/front/front-rules.ts";
import type { PeerUid } from "../../http/front/peer-uid.ts";

export interface DoorRulesOptions {
  readonly routes: readonly AnyRoute[];
  readonly peerUid: PeerUid;
  /** Whether nothing but its instance can have made the connection. */
  readonly isPrivate: (socket: Socket) => boolean;
}

/**
 * The rules of the function door. Its connection says who asks; what must be kept out are others of this machine who
 * found its port: pages (they have an Origin, and rebound names a foreign Host) and other users' processes.
 */
export function createDoorRules({ routes, peerUid, isPrivate }: DoorRulesOptions): FrontRules {
  const served = routes.map(({ method, path }) => `${method} ${path}`).join(", ");
  return {
    dialect: "chaya",
    hostKind: (host) => (ownName.test(host) ? "own" : "unknown"),
    admit: (_route, connection, { headers }) => {
      const { origin } = headers;
      if (origin !== undefined) throw new Problem("origin-refused", { origin });
      if (headers["sec-fetch-site"] === "cross-site") throw new Problem("origin-refused", { origin: "another site" });
      // Credentials that are presented are judged wherever they come, and none is known here.
      if (headers.authorization !== undefined) throw new Problem("credentials-invalid");
      return isPrivate(connection.socket) ? undefined : refuseOtherUsers(connection, peerUid);
    },
    pathNotFound: (method, path) => new Problem("door-path-not-found", { method, path, served }),
  };
}

/** The names in OCI_LOCAL_ENDPOINT and its usual other spelling; the port is whatever the runtime took. */
const ownName = /^(?:127\.0\.0\.1|localhost)(?::\d{1,5})?$/i;

/** Throws `peer-refused`. */
async function refuseOtherUsers(connection: Connection, peerUid: PeerUid): Promise<void> {
  connection.isOwnUser ??= isOwnUser({ peerUid, ownUid: process.getuid?.() }, connection);
  if (!(await connection.isOwnUser)) throw new Problem("peer-refused");
}
