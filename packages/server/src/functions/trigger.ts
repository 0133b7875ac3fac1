// Hot path: ARCHITECTURE, hot-path rules
import { Problem } from "@chaya/contract";
import type { Exchange, ServeExchange } from "../http/exchange.ts";
import { triggerAnswer } from "./call/answer-headers.ts";
import { triggerRequestHeaders } from "./call/request-headers.ts";
import { beginHttpCall, type DoorDeps, passCors } from "./data-doors.ts";

const methods: ReadonlySet<string> = new Set([
  ...["GET", "POST", "PUT", "PATCH", "HEAD", "OPTIONS", "DELETE", "CONNECT", "TRACE"],
]);

/** `ANY /t/{app}/{source}`: the path decoded once, then compared whole. */
export function createTriggerDoor(deps: DoorDeps): ServeExchange {
  return (exchange) => {
    const { request, path } = exchange;
    const method = request.method ?? "";
    if (!methods.has(method)) throw new Problem("method-not-allowed", { method, path });
    const addedHeaders = passCors(deps.cors, exchange);
    if (addedHeaders === undefined) return;
    const { applicationName, source } = readTriggerPath(path);
    const application = deps.directory.applicationNamed(applicationName);
    if (application === undefined) throw new Problem("application-not-found", { application: applicationName });
    const trigger = deps.directory.triggerAt(application.id, source);
    if (trigger === undefined) throw new Problem("trigger-not-found", { trigger: source });
    const fn = deps.directory.function(trigger.functionId);
    if (fn === undefined) throw new Problem("function-not-found", { function: trigger.functionId });
    beginHttpCall(deps, exchange, {
      application,
      function: fn,
      source: "http",
      headers: triggerRequestHeaders(request.rawHeaders, { method, url: requestUrl(exchange) }),
      mapAnswer: triggerAnswer,
      addedHeaders,
    });
  };
}

/** `/t/app` and `/t/app/` are both the source `/`. */
export function readTriggerPath(path: string): { readonly applicationName: string; readonly source: string } {
  const rest = path.slice("/t/".length);
  const slash = rest.indexOf("/");
  try {
    return {
      applicationName: decodeURIComponent(slash < 0 ? rest : rest.slice(0, slash)),
      source: slash < 0 ? "/" : decodeURIComponent(rest.slice(slash)),
    };
  } catch (cause) {
    throw new Problem("request-invalid", { where: "path", reason: "its percent-encoding is broken" }, { cause });
  }
}

/** As it was requested: what the function sees is what its client typed. */
function requestUrl({ request, path, query }: Exchange): string {
  const scheme = "encrypted" in request.socket ? "https" : "http";
  const host = request.headers.host ?? "localhost";
  return `${scheme}://${host}${path}${query === "" ? "" : `?${query}`}`;
}
