import type { ObservedCall } from "../seams.ts";
import type { CalledFunction } from "./called-functions.ts";
import { IdFilter } from "./id-filter.ts";
import { CallRows } from "./records/call-rows.ts";

/** A call that may still change before it is written. */
export interface ChangingCall {
  readonly call: ObservedCall;
  readonly called: CalledFunction;
}

/**
 * Calls that are written together. Nearly all are over when they are told of: they become rows at once, which is cheaper
 * than keeping them. What may still change is kept, and written after those rows.
 */
export class CallBatch {
  /** Each call at most once. */
  readonly over: CallRows;
  readonly changing = new Map<string, ChangingCall>();
  /** Functions that the store does not know yet. */
  readonly newFunctions = new Set<CalledFunction>();
  /** In which seconds calls were made, each followed by the id of whose calls they were. */
  readonly seconds = new Set<string>();
  /** One that is taken for another is written beside the rows, which costs a little and changes nothing. */
  readonly #overIds = new IdFilter();

  constructor(nodeId: string) {
    this.over = new CallRows(nodeId);
  }

  get length(): number {
    return this.over.count + this.changing.size;
  }

  has(id: string): boolean {
    return this.#overIds.has(id) || this.changing.has(id);
  }

  /** Hot path. */
  add(call: ObservedCall, called: CalledFunction): void {
    const { id } = call;
    const changing = this.changing.size === 0 ? undefined : this.changing.get(id);
    if (call.finishedAtMs !== undefined && this.#overIds.add(id)) {
      if (changing !== undefined && supersedes(call, changing.call)) this.changing.delete(id);
      this.over.add(call, called.id);
    } else if (changing === undefined || supersedes(call, changing.call)) {
      this.changing.set(id, { call, called });
    }
    if (!called.isStored) this.newFunctions.add(called);
    if (called.second === "" || !id.startsWith(called.second)) this.#addSecond(id, called);
  }

  #addSecond(id: string, called: CalledFunction): void {
    called.second = id.slice(0, secondCharacters);
    this.seconds.add(called.second + called.functionId);
    this.seconds.add(called.second + called.applicationId);
  }
}

/** Of an id, whose milliseconds are 10 characters of 5 bits: a second here has 1,024 of them. */
export const secondCharacters = 8;

/** A later attempt over an earlier one, and its end over its beginning, in whatever order they are told. */
function supersedes(call: ObservedCall, known: ObservedCall): boolean {
  if (call.attempt !== known.attempt) return call.attempt > known.attempt;
  return call.finishedAtMs !== undefined || known.finishedAtMs === undefined;
}
