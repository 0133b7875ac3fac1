import { pipeline } from "node:stream/promises";
import { Problem } from "@chaya/contract";
import { chayaRoutes } from "@chaya/contract/chaya";
import type { PayloadDriver } from "../../drivers/payload/driver.ts";
import type { Audit } from "../../http/audit.ts";
import type { Authorize } from "../../http/authorize.ts";
import { authorizedStream } from "../../http/authorized-stream.ts";
import type { Exchange, ServedRoute } from "../../http/exchange.ts";
import type { Places } from "../../seams.ts";
import type { Calls } from "../calls.ts";
import type { CapturedInputs } from "../captured-inputs.ts";
import { callPlace } from "./calls.ts";

export interface ReadInputDeps {
  readonly calls: Calls;
  readonly inputs: CapturedInputs;
  readonly payloads: PayloadDriver;
  readonly places: Places;
  readonly authorize: Authorize;
  readonly audit: Audit;
}

const pathPattern = /^\/chaya\/v1\/calls\/([^/]+)\/input$/;

/** The captured input of a call, as bytes. Whoever sent it chose its type, so no browser may show it as a page. */
export function serveInput(deps: ReadInputDeps): ServedRoute {
  const { calls, inputs, payloads } = deps;
  const locate = ({ path }: Exchange) => callPlace(deps, callIdOf(path));
  return authorizedStream(deps, { route: chayaRoutes.getCallInput, locate }, async ({ path, response }) => {
    const callId = callIdOf(path);
    const input = await inputs.find(callId);
    if (input === undefined) {
      const isKnown = (await calls.find(callId)) !== undefined;
      throw new Problem(isKnown ? "captured-input-not-found" : "call-not-found", { call: callId });
    }
    const stored = input.payload_id === null ? undefined : await payloads.read(input.payload_id);
    response.writeHead(200, {
      "Content-Type": isHeaderValue(input.content_type) ? input.content_type : "application/octet-stream",
      "Content-Length": input.bytes,
      "Content-Disposition": "attachment",
      "Content-Security-Policy": "sandbox",
      "X-Content-Type-Options": "nosniff",
      "Cache-Control": "no-store",
    });
    if (stored === undefined) response.end(input.payload);
    else await pipeline(stored, response);
  });
}

function callIdOf(path: string): string {
  return pathPattern.exec(path)?.[1] ?? "";
}

/** RFC 9110 §5.5, without obs-text. */
function isHeaderValue(text: string): boolean {
  return /^[\x21-\x7e][\x20-\x7e]*$/.test(text);
}
