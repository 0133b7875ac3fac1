import { Problem } from "@chaya/contract";
import { chayaRoutes } from "@chaya/contract/chaya";
import { type ControlRoute, control } from "../../http/control-route.ts";
import type { ResolveFunctions } from "../../seams.ts";
import type { Calls } from "../calls.ts";
import { lineView } from "../log-line.ts";
import { cutMark, type LogLines } from "../log-lines.ts";
import { decodeCursor, encodeCursor } from "./call-cursor.ts";
import { functionFilter } from "./function-filter.ts";

export interface CallHandlersDeps {
  readonly calls: Calls;
  readonly lines: LogLines;
  readonly resolve: ResolveFunctions;
}

/** A call with many attempts may have printed more; the logs have it all. */
const linesShownMax = 10_000;

export function callRoutes({ calls, lines, resolve }: CallHandlersDeps): readonly ControlRoute[] {
  return [
    control(chayaRoutes.listCalls, async ({ query }) => {
      const { app, fn, status, source, since, until, cursor, limit } = query;
      const range = { sinceMs: toMs(since), untilMs: toMs(until) };
      const filter = { ...functionFilter(resolve, { app, fn }), status, source, ...range };
      const afterId = cursor === undefined ? undefined : decodeCursor(cursor);
      const page = await calls.list(filter, { afterId, countMax: limit });
      return { result: { items: [...page.calls], nextCursor: page.next && encodeCursor(page.next) } };
    }),
    control(chayaRoutes.getCall, async ({ params }) => {
      const call = await calls.find(params.callId);
      if (call === undefined) throw new Problem("call-not-found", { call: params.callId });
      return { result: call };
    }),
    control(chayaRoutes.getCallLog, async ({ params }) => {
      if ((await calls.find(params.callId)) === undefined) throw new Problem("call-not-found", { call: params.callId });
      const read = await lines.ofCall(params.callId, linesShownMax + 1);
      const items = read.slice(0, linesShownMax).map((line) => lineView(line, resolve));
      const isCut = items.some((line) => line.stream === "platform" && line.text.startsWith(cutMark));
      return { result: { items, isTruncated: isCut || read.length > linesShownMax } };
    }),
  ];
}

function toMs(time: string | undefined): number | undefined {
  return time === undefined ? undefined : Date.parse(time);
}
