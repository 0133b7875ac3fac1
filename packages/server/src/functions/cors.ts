import type { Answer } from "../http/answer.ts";
import { noBody } from "../http/answer.ts";

export interface CorsSettings {
  /** Origins as browsers write them, or `*` first: any. Empty: CORS is off. */
  readonly origins: readonly string[];
  /** Headers that pages may send. */
  readonly headers: readonly string[];
}

export const corsHeadersDefault = ["Origin", "Content-Length", "Content-Type"] as const;

export type CorsDecision =
  /** Add these flat headers to whatever is answered. */
  | { readonly kind: "serve"; readonly headers: readonly string[] }
  /** Answer this and nothing else: a preflight, or a page that may not. */
  | { readonly kind: "answer"; readonly answer: Answer };

const nothing: CorsDecision = { kind: "serve", headers: [] };
const allowedMethods = "GET,POST,PUT,HEAD,DELETE";
const maxAgeS = 43_200;

/**
 * What a request's Origin means (as Fn reads it): without one, or with CORS off, nothing. Origins are compared whole, so
 * `null` and look-alikes are refused; credentials are never allowed.
 */
export function decideCors(
  settings: CorsSettings,
  request: { readonly method: string; readonly origin: string | undefined },
): CorsDecision {
  const { origin } = request;
  if (settings.origins.length === 0 || origin === undefined) return nothing;
  const allowsAny = settings.origins[0] === "*";
  if (!allowsAny && !settings.origins.includes(origin))
    return { kind: "answer", answer: { status: 403, headers: [], body: noBody } };
  const allowed = ["Access-Control-Allow-Origin", allowsAny ? "*" : origin];
  if (request.method !== "OPTIONS")
    return { kind: "serve", headers: allowsAny ? allowed : [...allowed, "Vary", "Origin"] };
  const headers = [
    ...["Access-Control-Allow-Headers", settings.headers.join(",")],
    ...["Access-Control-Allow-Methods", allowedMethods],
    ...allowed,
    ...["Access-Control-Max-Age", String(maxAgeS)],
    ...["Vary", "Origin", "Vary", "Access-Control-Request-Method", "Vary", "Access-Control-Request-Headers"],
  ];
  return { kind: "answer", answer: { status: 200, headers, body: noBody } };
}
