import type { CallView } from "@chaya/contract/chaya";
import type { Store } from "../drivers/store/driver.ts";
import type { TelemetryTables } from "../drivers/store/tables.ts";
import type { Clock } from "../kernel/clock.ts";
import type { NewId } from "../kernel/ids.ts";
import type { Logger } from "../kernel/logger.ts";
import type { CallProblem, ObservedCall, RedactSecrets } from "../seams.ts";
import type { CallBatch } from "./call-batch.ts";
import { PendingCalls } from "./pending-calls.ts";
import { type CallFilter, type CallPage, findCall, listCalls } from "./records/calls.ts";
import { callsRecorder } from "./records/record-calls.ts";
import type { TelemetryLimits } from "./telemetry-limits.ts";
import { WriteBehind } from "./write-behind.ts";

export interface CallsDeps {
  readonly store: Store<TelemetryTables>;
  readonly clock: Clock;
  readonly ids: NewId;
  readonly nodeId: string;
  readonly logger: Logger;
  readonly redact: RedactSecrets;
  readonly limits: TelemetryLimits;
}

/** So many at once that what a commit costs does not count, and so few that others do not wait for it long. */
const batchCallsMax = 1_024;

/** Records of calls: kept in memory for a moment, then in the store. Only the newest that is known of a call is kept. */
export class Calls {
  readonly #deps: CallsDeps;
  readonly #pending: PendingCalls;
  readonly #writer: WriteBehind<CallBatch>;
  #dropped = 0;

  constructor(deps: CallsDeps) {
    this.#deps = deps;
    this.#pending = new PendingCalls(deps, batchCallsMax);
    const record = callsRecorder(deps.store, deps.nodeId);
    this.#writer = new WriteBehind(deps, {
      what: "call records",
      backlog: this.#pending,
      batchItemsMax: batchCallsMax,
      write: async (batch) => {
        await deps.store.apply(record(batch));
        this.#pending.stored(batch);
      },
      onLost: (count) => {
        this.#dropped += count;
        this.#pending.lost();
      },
    });
  }

  /** Records that will never be stored. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Hot path: one row. */
  observe(call: ObservedCall): void {
    const { problem } = call;
    const shown = problem === undefined ? call : { ...call, problem: this.#redacted(call.applicationId, problem) };
    if (this.#pending.size >= this.#deps.limits.callRecordsPendingMax && !this.#pending.has(call.id)) {
      if (this.#dropped++ === 0) this.#deps.logger.error("call records dropped", { pending: this.#pending.size });
      return;
    }
    this.#pending.add(shown);
    this.#writer.added();
  }

  /** Shows every call that was observed before, unless the store takes no writes now. */
  async list(
    filter: CallFilter,
    page: { readonly afterId: string | undefined; readonly countMax: number },
  ): Promise<CallPage> {
    await this.#writer.flush();
    return listCalls(this.#deps.store.db, filter, page);
  }

  async find(id: string): Promise<CallView | undefined> {
    await this.#writer.flush();
    return findCall(this.#deps.store.db, id);
  }

  close(): Promise<void> {
    return this.#writer.close();
  }

  #redacted(applicationId: string, problem: CallProblem): CallProblem {
    const redact = (text: string) => Buffer.from(this.#deps.redact(applicationId, Buffer.from(text))).toString();
    return { code: problem.code, sentence: redact(problem.sentence), hint: redact(problem.hint) };
  }
}
