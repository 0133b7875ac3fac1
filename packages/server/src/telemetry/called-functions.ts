import type { Clock } from "../kernel/clock.ts";
import type { NewId } from "../kernel/ids.ts";
import type { ObservedCall } from "../seams.ts";

/** A function as calls found it; stored once for many of them. */
export interface CalledFunction
  extends Pick<
    ObservedCall,
    "applicationId" | "applicationName" | "functionId" | "functionName" | "image" | "memoryMiB"
  > {
  readonly id: string;
  /** Calls that were accepted later get a new one. */
  readonly untilMs: number;
  isStored: boolean;
  /** What the id of the call that was recorded last began with: its second. */
  second: string;
}

/** How long calls share a row: one that calls still name is at most so much older than they are. */
export const calledFunctionMsMax = 86_400_000;
/** More functions than this are seldom called in turn; forgetting costs a row for each that is called again. */
const functionsMax = 50_000;

/** What the store was told of functions that are called, so that the record of a call need not repeat it. */
export class CalledFunctions {
  readonly #deps: { readonly ids: NewId; readonly clock: Clock };
  readonly #newest = new Map<string, CalledFunction>();

  constructor(deps: { readonly ids: NewId; readonly clock: Clock }) {
    this.#deps = deps;
  }

  /** Hot path. */
  of(call: ObservedCall): CalledFunction {
    const known = this.#newest.get(call.functionId);
    return known !== undefined && isAsFound(known, call) ? known : this.#add(call);
  }

  /** After something was not stored: all is told again. */
  forget(): void {
    this.#newest.clear();
  }

  #add(call: ObservedCall): CalledFunction {
    const { applicationId, applicationName, functionId, functionName, image, memoryMiB } = call;
    const called: CalledFunction = {
      ...{ id: this.#deps.ids(), untilMs: this.#deps.clock.nowMs() + calledFunctionMsMax },
      ...{ applicationId, applicationName, functionId, functionName, image, memoryMiB },
      ...{ isStored: false, second: "" },
    };
    if (this.#newest.size >= functionsMax) this.#newest.clear();
    this.#newest.set(functionId, called);
    return called;
  }
}

function isAsFound(called: CalledFunction, call: ObservedCall): boolean {
  return (
    call.acceptedAtMs < called.untilMs &&
    call.image === called.image &&
    call.memoryMiB === called.memoryMiB &&
    call.functionName === called.functionName &&
    call.applicationName === called.applicationName
  );
}
