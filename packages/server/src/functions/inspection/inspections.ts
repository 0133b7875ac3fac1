import { limits, Problem } from "@chaya/contract";
import { chayaRoutes } from "@chaya/contract/chaya";
import type { RuntimeDriver } from "../../drivers/runtime/driver.ts";
import type { Audit } from "../../http/audit.ts";
import type { Authorize } from "../../http/authorize.ts";
import { authorizedStream } from "../../http/authorized-stream.ts";
import { type ControlRequest, type ControlRoute, control } from "../../http/control-route.ts";
import type { Exchange, ServedRoute } from "../../http/exchange.ts";
import { pathParameters } from "../../http/path-parameters.ts";
import { readSignedBody } from "../../http/signed-body.ts";
import type { Logger } from "../../kernel/logger.ts";
import type { Places } from "../../seams.ts";
import { directAnswer } from "../call/answer-headers.ts";
import type { CallTimeout } from "../call/call-facts.ts";
import { callerHeaders, type DoorDeps, httpCall } from "../data-doors.ts";
import { HttpCaller } from "../http-caller.ts";
import type { FunctionRecord } from "../model.ts";
import type { Pools } from "../pool/pools.ts";
import { Inspection } from "./inspection.ts";
import { joinStreams } from "./join-streams.ts";

export interface InspectionsDeps extends Omit<DoorDeps, "cors" | "directory"> {
  readonly directory: Pick<DoorDeps["directory"], "function" | "application">;
  readonly pools: Pick<Pools, "subject" | "capacity" | "starter">;
  readonly runtime: Pick<RuntimeDriver, "name" | "abilities">;
  readonly logger: Logger;
  readonly places: Pick<Places, "function" | "root">;
  readonly authorize: Authorize;
  readonly audit: Audit;
}

type StreamedRoute = (typeof chayaRoutes)["callInspected" | "connectInspector"];

const timeout: CallTimeout = { ms: limits.inspectionMsMax, setBy: "the limit of calls with --inspect" };

/**
 * Calls with Node's inspector open. Each is prepared, called once and connected to on routes of the control door, by whom
 * it was prepared for: an inspector runs any code as the function.
 */
export class Inspections implements AsyncDisposable {
  readonly routes: readonly ControlRoute[];
  readonly streams: readonly ServedRoute[];
  readonly #deps: InspectionsDeps;
  readonly #live = new Map<string, Inspection>();
  #connections = 0;

  constructor(deps: InspectionsDeps) {
    this.#deps = deps;
    this.routes = [
      control(
        chayaRoutes.createInspection,
        ({ params }) => deps.places.function(params.fnId),
        async (request) => ({ result: this.#create(request) }),
      ),
    ];
    const { callInspected, connectInspector } = chayaRoutes;
    const locate = (route: StreamedRoute) => (exchange: Exchange) => {
      const inspection = this.#live.get(inspectionIdOf(exchange, route));
      return inspection === undefined ? deps.places.root : deps.places.function(inspection.functionId);
    };
    this.streams = [
      authorizedStream(deps, { route: callInspected, locate: locate(callInspected) }, (exchange) =>
        this.#call(exchange),
      ),
      authorizedStream(deps, { route: connectInspector, locate: locate(connectInspector) }, (exchange) =>
        this.#connect(exchange),
      ),
    ];
  }

  /** Ends all of them; their callers are told that the server stops. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#live.values()].map((inspection) => inspection.close()));
  }

  #create({ params, principal }: ControlRequest<typeof chayaRoutes.createInspection>) {
    const { clock, ids, runtime, pools } = this.#deps;
    const fn = this.#function(params.fnId);
    if (runtime.abilities.inspects !== true)
      throw new Problem("inspection-unavailable", { reason: `the runtime '${runtime.name}' opens no inspector` });
    if (this.#live.size >= limits.inspectionsPerNodeMax)
      throw new Problem("inspections-exhausted", { inspectionsMax: limits.inspectionsPerNodeMax });
    const facts = { id: ids(), functionId: fn.id, principalId: principal.id };
    const inspection = new Inspection({ clock, capacity: pools.capacity, starter: pools.starter }, facts);
    this.#live.set(facts.id, inspection);
    void inspection.over.then(() => this.#live.delete(facts.id));
    clock.schedule(limits.inspectionUnusedMsMax, () => {
      if (!inspection.isTaken) void inspection.end();
    });
    const expiresAt = new Date(clock.nowMs() + limits.inspectionUnusedMsMax).toISOString();
    return { id: facts.id, functionId: fn.id, expiresAt };
  }

  /** The call waits for everything a person does meanwhile; its client going away or this limit ends it. */
  async #call(exchange: Exchange): Promise<void> {
    if (exchange.bodySha256 === undefined) this.#begin(exchange);
    else this.#begin(exchange, await readSignedBody(exchange, limits.signedBodyBytesMax));
  }

  #begin(exchange: Exchange, body?: Uint8Array): void {
    const { clock, directory, pools, calls, logger, turnEnd } = this.#deps;
    const inspection = this.#find(exchange, chayaRoutes.callInspected);
    const fn = this.#function(inspection.functionId);
    const application = directory.application(fn.applicationId);
    if (application === undefined) throw new Problem("function-not-found", { function: fn.id });
    inspection.take(pools.subject(application, fn));
    if (exchange.response.destroyed) {
      void inspection.end();
      return;
    }
    const headers = callerHeaders(exchange);
    const asked = httpCall(this.#deps, exchange, { application, function: fn, source: "direct", headers, body });
    logger.info("a call is inspected", { callId: asked.id, functionId: fn.id, principal: exchange.principal.name });
    const call = calls.begin(
      { ...asked, timeout, instances: inspection },
      new HttpCaller(exchange, {
        ...{ callId: asked.id, mapAnswer: directAnswer, addedHeaders: [], turnEnd },
        dialect: chayaRoutes.callInspected.dialect,
      }),
    );
    const late = new Problem("function-timed-out", { timeoutMs: timeout.ms, setBy: timeout.setBy });
    const limit = clock.schedule(timeout.ms, () => call.cancel(late));
    void inspection.over.then(() => limit.cancel());
    // Refused at once: it has never asked for an instance.
    exchange.response.once("close", () => void inspection.end());
  }

  async #connect(exchange: Exchange): Promise<void> {
    const inspection = this.#find(exchange, chayaRoutes.connectInspector);
    const { upgrade } = exchange;
    if (upgrade === undefined)
      throw new Problem("request-invalid", {
        where: "header Upgrade",
        reason: `a connection to an inspector asks for ${chayaRoutes.connectInspector.upgrade}`,
      });
    const inspector = await inspection.inspector;
    if (exchange.response.destroyed || exchange.request.socket.destroyed) return;
    if (this.#connections >= limits.inspectorConnectionsMax)
      throw new Problem("inspection-unavailable", {
        reason: `this node has ${limits.inspectorConnectionsMax} connections to inspectors already`,
      });
    this.#connections++;
    try {
      const inside = await inspector.connect().catch((cause: unknown) => {
        throw new Problem("inspection-not-found", { inspection: inspection.id }, { cause });
      });
      void inspection.over.then(() => inside.destroy());
      await joinStreams(upgrade.accept(), inside);
    } finally {
      this.#connections--;
    }
  }

  #function(functionId: string): FunctionRecord {
    const fn = this.#deps.directory.function(functionId);
    if (fn === undefined) throw new Problem("function-not-found", { function: functionId });
    return fn;
  }

  /** One of somebody else looks the same as none. */
  #find(exchange: Exchange, route: StreamedRoute): Inspection {
    const inspectionId = inspectionIdOf(exchange, route);
    const inspection = this.#live.get(inspectionId);
    if (inspection === undefined || inspection.isEnding || inspection.principalId !== exchange.principal.id)
      throw new Problem("inspection-not-found", { inspection: inspectionId });
    return inspection;
  }
}

function inspectionIdOf({ path }: Exchange, route: StreamedRoute): string {
  return pathParameters(route, path)?.inspectionId ?? "";
}
