import { limits } from "@chaya/contract";
import { chayaRoutes, type InstanceView } from "@chaya/contract/chaya";
import { sendAnswer } from "../../http/answer.ts";
import { discardBody } from "../../http/fail-exchange.ts";
import type { DoorRoute } from "./function-door.ts";
import type { DoorCaller } from "./instance-door.ts";

/** What the instance that asks may know of itself. */
export function instanceRoute(region: string): DoorRoute {
  return {
    route: chayaRoutes.getInstance,
    serve: ({ request, response }, caller) => {
      const body = Buffer.from(JSON.stringify(viewOf(caller, region)));
      sendAnswer(response, { status: 200, headers: ["Content-Type", "application/json; charset=utf-8"], body });
      discardBody(request, limits.refusedBodyBytesMax);
    },
  };
}

function viewOf(caller: DoorCaller, region: string): InstanceView {
  const { id, application, function: fn, callId } = caller;
  return {
    id,
    functionId: fn.id,
    function: fn.name,
    applicationId: application.id,
    application: application.name,
    image: fn.image,
    memoryMiB: fn.memoryMiB,
    region,
    startedAt: new Date(caller.startedAtMs).toISOString(),
    callId,
  };
}
