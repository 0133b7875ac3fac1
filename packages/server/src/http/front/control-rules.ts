import { Problem } from "@chaya/contract";
import { assert } from "../../kernel/assert.ts";
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
}

/**
 * With `--auth none` the administrator is whoever started the server, asking from this machine: by a name of the
 * server's own, from no page but its own, over loopback, as the same user. Throws `host-unknown`, `origin-refused`,
 * `credentials-invalid` or `peer-refused`.
 */
export async function checkControl(rules: ControlRules, connection: Connection, asked: Asked): Promise<void> {
  const { headers, host, peer } = asked;
  if (host !== "own") throw new Problem("host-unknown", { host: headers.host ?? "" });
  checkOrigin(headers, rules.hosts);
  // Credentials are judged in every mode, and this one knows none.
  if (headers.authorization !== undefined) throw new Problem("credentials-invalid");
  if (!isLoopback(peer)) throw new Problem("peer-refused");
  connection.isOwnUser ??= isOwnUser(rules, connection);
  if (!(await connection.isOwnUser)) throw new Problem("peer-refused");
}

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
