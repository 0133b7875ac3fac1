// Hot path: ARCHITECTURE, hot-path rules
import { headerValue } from "./request-headers.ts";

const traceParent = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/;
const invalidTraceId = "0".repeat(32);

/**
 * The trace that the client says this request belongs to, 32 hexadecimal digits: it joins our records to the client's
 * traces and is believed for nothing else. Undefined without a valid `traceparent` (W3C Trace Context, §3.2.2).
 */
export function readTraceId(rawHeaders: readonly string[]): string | undefined {
  const value = headerValue(rawHeaders, "traceparent");
  if (value === undefined || value.startsWith("ff")) return undefined;
  const traceId = traceParent.exec(value)?.[1];
  return traceId === invalidTraceId ? undefined : traceId;
}
