// Hot path: ARCHITECTURE, hot-path rules
import type { Problem } from "@chaya/contract";
import type { AnswerHead } from "./answer-head.ts";

/** Whoever waits for a call's answer. A caller that wants no more cancels it. */
export interface Caller {
  /** The call this caller waits for; once, before anything else. */
  attach(call: AnsweredCall): void;
  /** The answer begins; a problem when this caller cannot be given such a head. */
  begin(head: AnswerHead): Problem | undefined;
  /** May pause the answer. */
  write(bytes: Buffer): void;
  /** Whether something is held back to be sent together with what follows. */
  readonly isHolding: boolean;
  /** Sends what is held back: nothing more is at hand now. */
  flush(): void;
  end(): void;
  /** The call failed. When the answer has begun it is cut, so that nobody takes it for whole. */
  fail(problem: Problem): void;
  /** The status the caller got; undefined while nobody was answered. */
  readonly httpStatus: number | undefined;
}

/** What a caller may do to its call. */
export interface AnsweredCall {
  /** The caller can take no more of the answer until `resumeAnswer`. */
  pauseAnswer(): void;
  resumeAnswer(): void;
  /** The caller went away. */
  cancel(): void;
}
