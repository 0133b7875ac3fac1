// Hot path: ARCHITECTURE, hot-path rules
import { limits, Problem } from "@chaya/contract";
import type { CallView } from "@chaya/contract/chaya";
import type { BodyLimits } from "./call/call-facts.ts";
import type { FunctionRecord } from "./model.ts";

export interface AdmissionRequest {
  readonly function: FunctionRecord;
  readonly source: CallView["source"];
  readonly chainDepth: number;
  /** The announced length of the body; 0 when none was announced. */
  readonly bodyBytes: number;
}

export interface NodeState extends Pick<BodyLimits, "requestBodyBytesMax"> {
  readonly isDraining: boolean;
  readonly memoryMiBMax: number;
}

/** A stopping server is replaced within moments. */
export const drainingRetryAfterMs = 5_000;

/** Why this call may not even wait for an instance. What depends on the pool is the pool's to refuse. */
export function refuseCall(request: AdmissionRequest, node: NodeState): Problem | undefined {
  const { function: fn } = request;
  if (node.isDraining) return new Problem("server-draining", {}, { retryAfterMs: drainingRetryAfterMs });
  if (fn.settings.invoke === "gateway" && request.source !== "gateway") return new Problem("invoke-refused");
  if (request.chainDepth >= limits.callChainDepthMax)
    return new Problem("call-chain-too-deep", { depthMax: limits.callChainDepthMax });
  if (request.bodyBytes > node.requestBodyBytesMax)
    return new Problem("body-too-large", { bytesMax: node.requestBodyBytesMax });
  if (fn.memoryMiB > node.memoryMiBMax)
    return new Problem("memory-too-large", { memoryMiB: fn.memoryMiB, memoryMiBMax: node.memoryMiBMax });
  return undefined;
}
