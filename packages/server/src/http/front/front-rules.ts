import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { AnyRoute, Dialect, Problem } from "@chaya/contract";
import type { Admitted } from "../principal.ts";
import type { Connection } from "./connections.ts";
import type { HostKind } from "./hosts.ts";

/** What makes one front differ from another: by which names it is asked for, whom it lets in, and how it refuses. */
export interface FrontRules {
  /** In which is refused what belongs to no route. */
  readonly dialect: Dialect;
  /** Whose name a Host header carries; what is unknown is refused. */
  hostKind(host: string): HostKind;
  /** Who asks. Throws or rejects with the problem why the request may not enter the route. */
  admit(route: AnyRoute, connection: Connection, asked: Asked): Admitted | Promise<Admitted>;
  /** What is said of a path that nobody owns. */
  pathNotFound(method: string, path: string): Problem;
}

/** What a request says of who asks. */
export interface Asked {
  readonly request: IncomingMessage;
  readonly headers: IncomingHttpHeaders;
  readonly host: HostKind;
  /** The peer's address after trusted proxies. */
  readonly peer: string;
}
