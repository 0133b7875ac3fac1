// Hot path: ARCHITECTURE, hot-path rules.
import { Problem } from "@chaya/contract";
import { checkControl } from "./control-rules.ts";
import type { FrontRules } from "./front-rules.ts";
import { type HostRules, hostKind } from "./hosts.ts";
import { type PeerUid, readPeerUid } from "./peer-uid.ts";

export interface MainRulesOptions {
  readonly hosts: HostRules;
  /** For tests; the kernel's tables otherwise. */
  readonly peerUid?: PeerUid;
}

/** The rules of the main port: any of the server's names; control routes for the administrator, the others for everyone. */
export function createMainRules({ hosts, peerUid = readPeerUid }: MainRulesOptions): FrontRules {
  const control = { hosts, peerUid, ownUid: process.getuid?.() };
  return {
    dialect: "fn",
    hostKind: (host) => hostKind(host, hosts),
    admit: (route, connection, asked) =>
      route.door === "control" ? checkControl(control, connection, asked) : undefined,
    pathNotFound: (method, path) => new Problem("path-not-found", { method, path }),
  };
}
