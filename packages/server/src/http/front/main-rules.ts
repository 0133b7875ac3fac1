// Hot path: ARCHITECTURE, hot-path rules.
import { type AnyRoute, Problem } from "@chaya/contract";
import type { Authentication } from "../authenticate.ts";
import { type Admitted, anonymous } from "../principal.ts";
import { checkControl } from "./control-rules.ts";
import type { Asked, FrontRules } from "./front-rules.ts";
import { type HostRules, hostKind } from "./hosts.ts";
import { type PeerUid, readPeerUid } from "./peer-uid.ts";

export interface MainRulesOptions {
  readonly hosts: HostRules;
  /** Absent where no credentials are known: then any that are presented are refused. */
  readonly authentication?: Authentication;
  /** For tests; the kernel's tables otherwise. */
  readonly peerUid?: PeerUid;
}

/**
 * The rules of the main port: any of the server's names. Credentials that are presented are judged in every mode, except
 * where everyone may come in: there Authorization is for whoever answers.
 */
export function createMainRules({
  hosts,
  authentication = noneKnown,
  peerUid = readPeerUid,
}: MainRulesOptions): FrontRules {
  const control = { hosts, peerUid, ownUid: process.getuid?.(), authentication };
  return {
    dialect: "fn",
    hostKind: (host) => hostKind(host, hosts),
    admit: (route, connection, asked) => {
      // OCI knows no calls without a principal.
      if (route.door === "control" || route.dialect === "oci")
        return checkControl(control, route, { connection, asked });
      return route.auth === undefined ? asAnyone : checkData(authentication, route, asked);
    },
    pathNotFound: (method, path) => new Problem("path-not-found", { method, path }),
  };
}

/** Unless authentication is required, a data route is open to whoever reaches the server. */
function checkData({ authenticate, isRequired }: Authentication, route: AnyRoute, asked: Asked): Admitted {
  const admitted = authenticate(asked.request, { route, peer: asked.peer });
  if (admitted !== undefined) return admitted;
  if (isRequired) throw new Problem("credentials-missing");
  return asAnyone;
}

const asAnyone: Admitted = { principal: anonymous };

const noneKnown: Authentication = {
  authenticate: ({ headers }) => {
    if (headers.authorization !== undefined) throw new Problem("credentials-invalid");
    return undefined;
  },
  isRequired: false,
};
