import { Problem } from "@chaya/contract";
import { chayaRoutes } from "@chaya/contract/chaya";
import type { Place } from "../../http/authorize.ts";
import { type ControlRoute, control } from "../../http/control-route.ts";
import type { Places, ResolveFunctions } from "../../seams.ts";
import type { Calls } from "../calls.ts";
import { lineView } from "../log-line.ts";
import { cutMark, type LogLines } from "../log-lines.ts";
import { decodeCursor, encodeCursor } from "./call-cursor.ts";
import { functionFilter } from "./function-filter.ts";

export interface CallHandlersDeps {
  readonly calls: Calls;
  readonly lines: LogLines;
  readonly resolve: ResolveFunctions;
  readonly places: Places;
}

/** A call with many attempts may have printed more; the logs have it all. */
const linesShownMax = 10_000;

export function callRoutes({ calls, lines, resolve, places }: CallHandlersDeps): readonly ControlRoute[] {
  return [
    control(
      chayaRoutes.listCalls,
      ({ query }) => places.filter(query),
      async ({ query, may }) => {
        const { app, fn, status, source, since, until, cursor, limit } = query;
        const range = { sinceMs: toMs(since), untilMs: toMs(until) };
        const filter = { ...functionFilter(resolve, { app, fn }), status, source, ...range };
        const afterId = cursor === undefined ? undefined : decodeCursor(cursor);
        const page = await calls.list(filter, { afterId, countMax: limit });
        const seen = page.calls.filter(({ applicationId }) => may(places.application(applicationId)));
        return { result: { items: seen, nextCursor: page.next && encodeCursor(page.next) } };
      },
    ),
    control(
      chayaRoutes.getCall,
      ({ params }) => callPlace({ calls, places }, params.callId),
      async ({ params }) => {
        const call = await calls.find(params.callId);
        if (call === undefined) throw new Problem("call-not-found", { call: params.callId });
        return { result: call };
      },
    ),
    control(
      chayaRoutes.getCallLog,
      ({ params }) => callPlace({ calls, places }, params.callId),
      async ({ params }) => {
        if ((await calls.find(params.callId)) === undefined)
          throw new Problem("call-not-found", { call: params.callId });
        const read = await lines.ofCall(params.callId, linesShownMax + 1);
        const items = read.slice(0, linesShownMax).map((line) => lineView(line, resolve));
        const isCut = items.some((line) => line.stream === "platform" && line.text.startsWith(cutMark));
        return { result: { items, isTruncated: isCut || read.length > linesShownMax } };
      },
    ),
  ];
}

/** Where a call was made: the place of its function, or of its application when that is gone. */
export async function callPlace(
  { calls, places }: Pick<CallHandlersDeps, "calls" | "places">,
  callId: string,
): Promise<Place> {
  const call = await calls.find(callId);
  return call === undefined ? places.root : places.function(call.functionId, call.applicationId);
}

function toMs(time: string | undefined): number | undefined {
  return time === undefined ? undefined : Date.parse(time);
}
