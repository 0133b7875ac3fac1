import { type AnyRoute, route } from "@chaya/contract";
import type { Authentication } from "../http/authenticate.ts";
import type { Exchange, ServedRoute, ServeExchange } from "../http/exchange.ts";
import { createFront, type Front, type FrontDeps } from "../http/front/front.ts";
import { createMainRules } from "../http/front/main-rules.ts";
import type { PeerUid } from "../http/front/peer-uid.ts";
import { createIds } from "../kernel/ids.ts";
import { silentLogger } from "../kernel/logger.ts";
import { seededRandom } from "../kernel/random.ts";
import { ManualClock } from "./manual-clock.ts";

export interface TestFront extends AsyncDisposable {
  readonly front: Front;
  readonly port: number;
}

export interface TestFrontOptions extends Partial<FrontDeps> {
  readonly peerUid?: PeerUid;
  readonly authentication?: Authentication;
}

/** A front on a free port of 127.0.0.1 with the contract's limits, unless told otherwise. */
export async function startTestFront(
  served: readonly ServedRoute[],
  { peerUid, authentication, ...overrides }: TestFrontOptions = {},
): Promise<TestFront> {
  const clock = overrides.clock ?? new ManualClock();
  let port = 0;
  const front = createFront({
    clock,
    logger: silentLogger(),
    newId: createIds(clock, seededRandom(1)),
    rules: createMainRules({
      hosts: { publicUrl: () => `http://localhost:${port}`, allowedHosts: ["chaya.example"] },
      ...(peerUid === undefined ? {} : { peerUid }),
      ...(authentication === undefined ? {} : { authentication }),
    }),
    trustedProxies: [],
    served,
    ...overrides,
  });
  port = (await front.listen("127.0.0.1", 0)).port;
  return { front, port, [Symbol.asyncDispose]: () => front[Symbol.asyncDispose]() };
}

/** A route of a data door at `path`, for tests of what stands before it. */
export function dataDoor(path: string, serve: ServeExchange): ServedRoute {
  const declared: AnyRoute = route({
    method: "ANY",
    path,
    dialect: "fn",
    door: "data",
    stream: true,
    summary: "For a test.",
    problems: [],
  });
  return { route: declared, serve };
}

/** Answers with the size of the body and the raw request line, once the body has come. */
export function echo({ request, response, path, query }: Exchange): void {
  let bytes = 0;
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
  });
  request.on("end", () => {
    const body = JSON.stringify({ method: request.method, path, query, bytes });
    response.writeHead(200, ["Content-Type", "application/json", "Content-Length", String(body.length)]);
    response.end(body);
  });
}
