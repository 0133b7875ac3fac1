import type { IncomingHttpHeaders } from "node:http";
import type { AnyRoute, Dialect, Problem } from "@chaya/contract";
import type { Connection } from "./connections.ts";
import type { HostKind } from "./hosts.ts";

/** What makes one front differ from another: by which names it is asked for, whom it lets in, and how it refuses. */
export interface FrontRules {
  /** In which is refused what belongs to no route. */
  readonly dialect: Dialect;
  /** Whose name a Host header carries; what is unknown is refused. */
  hostKind(host: string): HostKind;
  /** Undefined when the request may enter the route at once. Throws or rejects with the problem why it may not. */
  admit(route: AnyRoute, connection: Connection, asked: Asked): Promise<void> | undefined;
  /** What is said of a path that nobody owns. */
  pathNotFound(method: string, path: string): Problem;
}

/** What a request says of who asks. */
export interface Asked {
  readonly headers: IncomingHttpHeaders;
  readonly host: HostKind;
  /** The peer's address after trusted proxies. */
  readonly peer: string;
}
