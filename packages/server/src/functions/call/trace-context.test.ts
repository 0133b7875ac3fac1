import { describe, expect, it } from "vitest";
import { readTraceId } from "./trace-context.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";

describe("a traceparent header", () => {
  it.each([
    ["of the first version", `00-${traceId}-00f067aa0ba902b7-01`],
    ["of a later version with more fields", `cc-${traceId}-00f067aa0ba902b7-01-what-the-future-brings`],
  ])("%s names the trace", (_name, value) => {
    expect(readTraceId(["Accept", "*/*", "Traceparent", value])).toBe(traceId);
  });

  it.each([
    ["that is absent", []],
    ["without a trace", ["traceparent", `00-${"0".repeat(32)}-00f067aa0ba902b7-01`]],
    ["of the version that never will be", ["traceparent", `ff-${traceId}-00f067aa0ba902b7-01`]],
    ["in upper case", ["traceparent", `00-${traceId.toUpperCase()}-00f067aa0ba902b7-01`]],
    ["that is cut", ["traceparent", `00-${traceId.slice(1)}-00f067aa0ba902b7-01`]],
  ])("%s is not believed", (_name, headers) => {
    expect(readTraceId(headers)).toBeUndefined();
  });
});
