import { type ColumnType, RowBuffer, type Rows } from "../../drivers/store/driver.ts";
import type { CallsTable } from "../../drivers/store/tables.ts";
import type { CallProblem, ObservedCall } from "../../seams.ts";
import { storableText } from "./storable-text.ts";

/** The columns of a call, in the order of its row. */
export const callColumns = {
  id: "text",
  called_id: "text",
  source: "text",
  status: "text",
  attempt: "integer",
  node_id: "text",
  accepted_at_ms: "integer",
  started_at_ms: "integer",
  finished_at_ms: "integer",
  http_status: "integer",
  wait_us: "integer",
  run_us: "integer",
  is_cold_start: "integer",
  request_bytes: "integer",
  response_bytes: "integer",
  problem: "text",
  cause_id: "text",
  trace_id: "text",
} as const satisfies Record<keyof CallsTable, ColumnType>;

const types = Object.values(callColumns);

/** Rows of calls, ready to be written. */
export class CallRows {
  readonly #nodeId: string;
  readonly #rows = new RowBuffer(types);

  /** `nodeId`: who records them. */
  constructor(nodeId: string) {
    this.#nodeId = nodeId;
  }

  get count(): number {
    return this.#rows.count;
  }

  /** Hot path. `calledId`: of the function as the call found it. */
  add(call: ObservedCall, calledId: string): void {
    this.#rows.add([
      call.id,
      calledId,
      call.source,
      call.status,
      call.attempt,
      call.finishedAtMs === undefined ? this.#nodeId : null,
      call.acceptedAtMs,
      call.startedAtMs ?? null,
      call.finishedAtMs ?? null,
      call.httpStatus ?? null,
      Math.round(call.waitUs),
      Math.round(call.runUs),
      call.isColdStart ? 1 : 0,
      call.requestBytes,
      call.responseBytes,
      problemText(call.problem),
      storableText(call.causeId),
      storableText(call.traceId),
    ]);
  }

  rows(): Rows {
    return this.#rows.rows();
  }
}

export function problemText(problem: CallProblem | undefined): string | null {
  if (problem === undefined) return null;
  const { code, sentence, hint } = problem;
  return JSON.stringify({ code, sentence: storableText(sentence), hint: storableText(hint) });
}
