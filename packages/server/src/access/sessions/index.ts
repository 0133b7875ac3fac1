import type { ControlRoute } from "../../http/control-route.ts";
import { ExpiredTokens, type ExpiredTokensDeps } from "./expired-tokens.ts";
import { type SessionHandlerDeps, sessionRoutes } from "./handlers.ts";

export interface SessionsDeps extends SessionHandlerDeps, ExpiredTokensDeps {}

export interface Sessions extends AsyncDisposable {
  readonly routes: readonly ControlRoute[];
}

/** Login links, sessions, and the end of tokens that expire. */
export function createSessions(deps: SessionsDeps): Sessions {
  const expired = new ExpiredTokens(deps);
  return { routes: sessionRoutes(deps), [Symbol.asyncDispose]: () => expired[Symbol.asyncDispose]() };
}
