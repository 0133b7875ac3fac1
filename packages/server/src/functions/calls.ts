// Hot path: ARCHITECTURE, hot-path rules
import type { Clock } from "../kernel/clock.ts";
import { StreamGarbage } from "../kernel/stream-garbage.ts";
import type { TurnEnd } from "../kernel/turn-end.ts";
import { type NodeState, refuseCall } from "./admission.ts";
import { Call, type CallDeps } from "./call/call.ts";
import type { CallChains } from "./call/call-chain.ts";
import type { BodyLimits, CallFacts, CallTimeout } from "./call/call-facts.ts";
import type { CallReporter } from "./call/call-report.ts";
import type { Caller } from "./call/caller.ts";
import { DeadlineText } from "./call/request-headers.ts";
import type { FunctionRecord } from "./model.ts";
import type { NodeLimits } from "./pool/node-capacity.ts";
import type { CallPool } from "./pool/pooled-instance.ts";
import type { Pools } from "./pool/pools.ts";

/** A call to begin. */
export interface CallRequest extends CallFacts {
  readonly chainDepth: number;
  /** As announced; 0 when it was not. */
  readonly bodyBytes: number;
  /** Where it gets its instance from; its function's pool when absent. */
  readonly instances?: CallPool;
}

export interface CallsDeps {
  readonly clock: Clock;
  readonly pools: Pools;
  readonly report: CallReporter;
  readonly chains: CallChains;
  readonly turnEnd: TurnEnd;
  readonly limits: BodyLimits & Pick<NodeLimits, "memoryMiBMax">;
}

/** Begins calls and knows how many are under way. Open → draining (new calls are refused) → without calls. */
export class Calls {
  readonly #deps: CallsDeps;
  readonly #callDeps: CallDeps;
  readonly #node: NodeState & { isDraining: boolean };
  readonly #onIdle: (() => void)[] = [];
  #active = 0;

  constructor(deps: CallsDeps) {
    this.#deps = deps;
    const { clock, limits, turnEnd } = deps;
    const parts = { garbage: new StreamGarbage(), deadlines: new DeadlineText() };
    this.#callDeps = { clock, limits, turnEnd, ...parts, onFinished: () => this.#finished() };
    this.#node = { ...limits, isDraining: false };
  }

  get node(): NodeState {
    return this.#node;
  }

  /** Begins a call, or refuses it at once; `caller` learns its end either way. */
  begin(request: CallRequest, caller: Caller, report = this.#deps.report): Call {
    const chain = this.#deps.chains.sign(request.id, request.chainDepth);
    const pool = request.instances ?? this.#deps.pools.of(request.application, request.function);
    this.#active++;
    const call = new Call(this.#callDeps, request, { pool, caller, report, chain });
    call.start(refuseCall(request, this.#node));
    return call;
  }

  /** Takes no more. Resolves when the last call has ended or `deadlineMs` have passed. */
  drain(deadlineMs: number): Promise<void> {
    this.#node.isDraining = true;
    if (this.#active === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#deps.clock.schedule(deadlineMs, resolve);
      this.#onIdle.push(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  #finished(): void {
    this.#active--;
    if (this.#active === 0) for (const wake of this.#onIdle.splice(0)) wake();
  }
}

export function timeoutOf(fn: FunctionRecord): CallTimeout {
  return { ms: fn.timeoutS * 1000, setBy: `timeout of function '${fn.name}'` };
}

/** Detached calls may have a longer one of their own. */
export function detachedTimeoutOf(fn: FunctionRecord): CallTimeout {
  const seconds = fn.settings["detached-timeout"];
  if (seconds === undefined) return timeoutOf(fn);
  return { ms: seconds * 1000, setBy: `annotation chaya/detached-timeout of function '${fn.name}'` };
}
