import { type AnyRoute, Problem } from "@chaya/contract";
import { assert } from "../../kernel/assert.ts";
import type { Authentication } from "../authenticate.ts";
import { type Admitted, administrator, anonymous } from "../principal.ts";
import type { Connection } from "./connections.ts";
import type { Asked } from "./front-rules.ts";
import { checkOrigin, type HostRules, isLoopback } from "./hosts.ts";
import type { PeerUid } from "./peer-uid.ts";

export interface UserRules {
  readonly peerUid: PeerUid;
  /** The uid of this process; undefined where there are none. */
  readonly ownUid: number | undefined;
}

export interface ControlRules extends UserRules {
  readonly hosts: HostRules;
  readonly authentication: Authentication;
}

/**
 * By a name of the server's own and from no page but its own, whatever credentials come along; then as whom they say.
 * Without any, `--auth none` knows one principal: whoever started the server, asking over loopback as the same user.
 * Throws `host-unknown`, `origin-refused`, the problems of credentials, `credentials-missing` or `peer-refused`.
 */
export async function checkControl(
  rules: ControlRules,
  route: AnyRoute,
  { connection, asked }: { readonly connection: Connection; readonly asked: Asked },
): Promise<Admitted> {
  const { request, headers, host, peer } = asked;
  const { authenticate, isRequired } = rules.authentication;
  if (host !== "own") throw new Problem("host-unknown", { host: headers.host ?? "" });
  checkOrigin(headers, rules.hosts);
  const admitted = authenticate(request, { route, peer });
  if (admitted !== undefined) return admitted;
  if (route.auth === undefined) return asAnyone;
  if (isRequired) throw new Problem("credentials-missing");
  if (!isLoopback(peer)) throw new Problem("peer-refused");
  connection.isOwnUser ??= isOwnUser(rules, connection);
  if (!(await connection.isOwnUser)) throw new Problem("peer-refused");
  return asAdministrator;
}

const asAnyone: Admitted = { principal: anonymous };
const asAdministrator: Admitted = { principal: administrator };

/** Whether the peer is a process of this machine that runs as the user of this one. */
export async function isOwnUser({ peerUid, ownUid }: UserRules, { socket }: Connection): Promise<boolean> {
  const { remoteAddress, remotePort, localAddress, localPort } = socket;
  // A connection that is gone by now has no ends; nobody is left to be answered.
  if (remoteAddress === undefined || remotePort === undefined) return false;
  assert(localAddress !== undefined && localPort !== undefined, "a connection over TCP has two ends");
  if (!isLoopback(remoteAddress)) return false;
  const uid = await peerUid({ remoteAddress, remotePort, localAddress, localPort });
  return uid === "unsupported" || uid === ownUid;
}
