import type { CallView } from "@chaya/contract/chaya";
import type { Store } from "../drivers/store/driver.ts";
import type { TelemetryTables } from "../drivers/store/tables.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Logger } from "../kernel/logger.ts";
import type { CallProblem, ObservedCall, RedactSecrets } from "../seams.ts";
import { type CallFilter, type CallPage, callsRecorder, findCall, listCalls } from "./records/calls.ts";
import type { TelemetryLimits } from "./telemetry-limits.ts";
import { type Backlog, WriteBehind } from "./write-behind.ts";

export interface CallsDeps {
  readonly store: Store<TelemetryTables>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly redact: RedactSecrets;
  readonly limits: TelemetryLimits;
}

const batchCallsMax = 256;

/** Records of calls: kept in memory for a moment, then in the store. Only the newest that is known of a call is kept. */
export class Calls {
  readonly #deps: CallsDeps;
  readonly #pending = new PendingCalls();
  readonly #writer: WriteBehind<ObservedCall>;
  #dropped = 0;

  constructor(deps: CallsDeps) {
    this.#deps = deps;
    const record = callsRecorder(deps.store);
    this.#writer = new WriteBehind(deps, {
      what: "call records",
      backlog: this.#pending,
      batchItemsMax: batchCallsMax,
      write: async (calls) => void (await deps.store.apply(record(calls))),
      onLost: (calls) => {
        this.#dropped += calls.length;
      },
    });
  }

  /** Records that will never be stored. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Hot path: one map entry. */
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

/** Calls by id, in the order in which they were first seen. */
class PendingCalls implements Backlog<ObservedCall> {
  readonly #calls = new Map<string, ObservedCall>();

  get size(): number {
    return this.#calls.size;
  }

  has(id: string): boolean {
    return this.#calls.has(id);
  }

  add(call: ObservedCall): void {
    const known = this.#calls.get(call.id);
    if (known === undefined || supersedes(call, known)) this.#calls.set(call.id, call);
  }

  take(countMax: number): readonly ObservedCall[] {
    const taken: ObservedCall[] = [];
    for (const [id, call] of this.#calls) {
      if (taken.length >= countMax) break;
      taken.push(call);
      this.#calls.delete(id);
    }
    return taken;
  }
}

/** A later attempt over an earlier one, and its end over its beginning, in whatever order they are told. */
function supersedes(call: ObservedCall, known: ObservedCall): boolean {
  if (call.attempt !== known.attempt) return call.attempt > known.attempt;
  return call.finishedAtMs !== undefined || known.finishedAtMs === undefined;
}
