import type { Problem } from "@chaya/contract";
import type { AnswerHead } from "./call/answer-head.ts";
import type { Caller } from "./call/caller.ts";

/** Nobody waits for the answer of a detached call: it is read to its end, so that its length and end are known. */
export class DetachedCaller implements Caller {
  readonly httpStatus = undefined;
  readonly isHolding = false;
  /** Settles with what went wrong, undefined when nothing did. */
  readonly answered: Promise<Problem | undefined>;
  readonly #settle: (problem: Problem | undefined) => void;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<Problem | undefined>();
    this.answered = promise;
    this.#settle = resolve;
  }

  attach(): void {}

  begin(_head: AnswerHead): undefined {
    return undefined;
  }

  write(): void {}

  flush(): void {}

  end(): void {
    this.#settle(undefined);
  }

  fail(problem: Problem): void {
    this.#settle(problem);
  }
}
