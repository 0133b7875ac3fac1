// Hot path: ARCHITECTURE, hot-path rules
import { isProblem, limits, Problem } from "@chaya/contract";
import type { InstanceEnd } from "../../drivers/runtime/driver.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { StreamGarbage } from "../../kernel/stream-garbage.ts";
import type { TurnEnd } from "../../kernel/turn-end.ts";
import type { CallPool, PoolCall, PooledInstance } from "../pool/pooled-instance.ts";
import type { AnswerHead } from "./answer-head.ts";
import { BodyFeed, type BodyReceiver } from "./call-body.ts";
import type { BodyLimits, CallFacts } from "./call-facts.ts";
import { describeEnd, statusOfProblem } from "./call-outcome.ts";
import type { CallReporter } from "./call-report.ts";
import type { Caller } from "./caller.ts";
import { CapturedPrefix } from "./captured-prefix.ts";
import type { AnswerReceiver, ConnectionBroken, InstanceConnection } from "./instance-connection.ts";
import { type DeadlineText, requestHead } from "./request-headers.ts";

export interface CallDeps {
  readonly limits: BodyLimits;
  readonly clock: Clock;
  readonly garbage: StreamGarbage;
  readonly deadlines: DeadlineText;
  readonly turnEnd: TurnEnd;
  /** The call is over, whatever came of it. */
  readonly onFinished: () => void;
}

export interface CallParts {
  readonly pool: CallPool;
  readonly caller: Caller;
  readonly report: CallReporter;
  /** The signed context that the function hands to the calls it makes. */
  readonly chain: string;
}

/** A crash is told by the runtime a moment after the connection broke: so long is waited before the function is said
 *  to have closed it by itself. */
const crashGraceMs = 100;

/**
 * One attempt of a call. States: waiting (for an instance) → running (on one) → settling (its end is decided; output is
 * collected, or the instance destroyed) → finished (recorded, the instance given back). The caller reads a failure only
 * after the instance that failed is gone. A crash of the platform forgets it; detached calls are kept by their work.
 */
export class Call implements PoolCall, AnswerReceiver, BodyReceiver {
  readonly facts: CallFacts;
  /** Monotonic; a call may wait for an instance as long as it may run. */
  readonly waitUntilMs: number;
  readonly waitingSinceMs: number;
  entry: PoolCall["entry"];
  deadlineMs = Number.POSITIVE_INFINITY;
  readonly #deps: CallDeps;
  readonly #pool: CallPool;
  readonly #caller: Caller;
  readonly #report: CallReporter;
  readonly #chain: string;
  readonly #feed: BodyFeed;
  #state: "waiting" | "running" | "settling" | "finished" = "waiting";
  #instance: PooledInstance | undefined;
  #connection: InstanceConnection | undefined;
  #isColdStart = false;
  #startedMs: number | undefined;
  #startedAtMs: number | undefined;
  #endedMs = 0;
  #requestBytes = 0;
  #responseBytes = 0;
  #isRequestWhole = false;
  #isFlushDue = false;
  /** The connection is lost; why, the runtime tells. */
  #isBroken = false;
  readonly #captured: CapturedPrefix | undefined;
  /** The function answered, and its answer says that it failed. */
  #answeredProblem: Problem | undefined;

  constructor(deps: CallDeps, facts: CallFacts, parts: CallParts) {
    this.#deps = deps;
    this.facts = facts;
    this.#pool = parts.pool;
    this.#caller = parts.caller;
    this.#report = parts.report;
    this.#chain = parts.chain;
    this.#feed = new BodyFeed(facts.body, this, deps.turnEnd);
    this.#captured = facts.function.settings.capture === "off" ? undefined : new CapturedPrefix();
    this.waitingSinceMs = deps.clock.monotonicMs();
    this.#caller.attach(this);
    this.waitUntilMs = this.waitingSinceMs + facts.timeout.ms;
  }

  get id(): string {
    return this.facts.id;
  }

  /** From dispatch until now, or until its end. Milliseconds. */
  get runMs(): number {
    if (this.#startedMs === undefined) return 0;
    return (this.#endedMs === 0 ? this.#deps.clock.monotonicMs() : this.#endedMs) - this.#startedMs;
  }

  /** Asks for an instance, unless there is a reason to refuse the call at once. */
  start(refusal: Problem | undefined): void {
    if (refusal === undefined) this.#pool.acquire(this);
    else this.refused(refusal);
  }

  granted(instance: PooledInstance, isColdStart: boolean): void {
    const { clock, deadlines } = this.#deps;
    this.#state = "running";
    this.#instance = instance;
    this.#isColdStart = isColdStart;
    this.#startedMs = clock.monotonicMs();
    this.#startedAtMs = clock.nowMs();
    this.deadlineMs = this.#startedMs + this.facts.timeout.ms;
    this.#connection = instance.connect(this.#startedMs);
    // Before the head, so that at the end of the turn the body joins it.
    this.#feed.start();
    this.#connection.begin(
      requestHead({
        callId: this.facts.id,
        deadline: deadlines.of(this.#startedAtMs + this.facts.timeout.ms),
        attempt: this.facts.attempt,
        chain: this.#chain,
        headers: this.facts.headers,
      }),
      this,
    );
  }

  refused(problem: Problem): void {
    if (this.#state !== "waiting") return;
    this.#feed.stop();
    this.#finish(problem);
  }

  /** The caller went away, or the platform must end the call now. */
  cancel(problem?: Problem): void {
    if (this.#state === "waiting") {
      this.#pool.cancel(this);
      this.refused(problem ?? new Problem("client-gone"));
    } else if (this.#state === "running") this.#abandon(problem ?? new Problem("client-gone"));
  }

  /** The deadline passed: the instance goes before the caller learns of it. */
  expire(): void {
    const { ms: timeoutMs, setBy } = this.facts.timeout;
    this.#destroyAndFail(new Problem("function-timed-out", { timeoutMs, setBy }));
  }

  /** Tells the record of a call that has run for a while; called by the sweep. */
  reportRunning(): void {
    if (this.#state === "running") this.#report.running(this.facts, this.#figures());
  }

  instanceEnded(end: InstanceEnd): void {
    const { memoryMiB } = this.facts.function;
    this.#destroyAndFail(
      end.isOutOfMemory
        ? new Problem("function-out-of-memory", { memoryMiB })
        : new Problem("function-crashed", { how: describeEnd(end) }),
    );
  }

  instanceLost(problem: Problem): void {
    this.#destroyAndFail(problem);
  }

  pauseAnswer(): void {
    this.#connection?.pause();
  }

  resumeAnswer(): void {
    this.#connection?.resume();
  }

  onBodyPart(bytes: Uint8Array): boolean {
    this.#requestBytes += bytes.length;
    this.#deps.garbage.passed(bytes.length);
    this.#captured?.add(bytes);
    const { requestBodyBytesMax: bytesMax } = this.#deps.limits;
    if (this.#requestBytes > bytesMax) {
      this.#destroyAndFail(new Problem("body-too-large", { bytesMax }));
      return true;
    }
    return this.#connection?.write(bytes) ?? true;
  }

  onBodyEnd(): void {
    this.#isRequestWhole = true;
    this.#connection?.end();
  }

  onBodyFailed(error: Error): void {
    this.cancel(isProblem(error) ? error : new Problem("client-gone", {}, { cause: error }));
  }

  onDrain(): void {
    this.#feed.resume();
  }

  onHead(head: AnswerHead): void {
    const problem = this.#judgeHead(head);
    if (problem !== undefined) this.#destroyAndFail(problem);
  }

  onBody(bytes: Buffer): void {
    this.#responseBytes += bytes.length;
    this.#deps.garbage.passed(bytes.length);
    const { responseBodyBytesMax: bytesMax } = this.#deps.limits;
    if (this.#responseBytes > bytesMax) this.#destroyAndFail(new Problem("function-response-too-large", { bytesMax }));
    // What a function says beside its failure is for its log: callers get our sentence.
    else if (this.#answeredProblem === undefined) this.#caller.write(bytes);
  }

  onReadDone(): void {
    if (!this.#caller.isHolding || this.#isFlushDue) return;
    this.#isFlushDue = true;
    setImmediate(this.#flushNextTurn);
  }

  onEnd(): void {
    if (this.#state !== "running") return;
    const { instance, connection } = this.#settle();
    if (!this.#isRequestWhole) connection.destroy();
    if (this.#answeredProblem === undefined) this.#caller.end();
    // Late output would otherwise count as the next call's, so the instance is kept until it is read.
    void instance.flushOutput().then(() => {
      this.#pool.release(instance, this, connection);
      this.#finish(this.#answeredProblem);
    });
  }

  onBroken(broken: ConnectionBroken): void {
    this.#isBroken = true;
    const problem =
      broken.kind === "header-too-large"
        ? new Problem("function-response-header-too-large", { bytesMax: limits.responseHeaderBytesMax })
        : new Problem("function-response-broken", { reason: broken.reason });
    if (broken.kind === "closed") this.#deps.clock.schedule(crashGraceMs, () => this.#destroyAndFail(problem));
    else this.#destroyAndFail(problem);
  }

  /** A turn reads each socket once: the end of what was read in this one is seen in the next, and told together. */
  readonly #flushNextTurn = (): void => void setImmediate(this.#flush);

  readonly #flush = (): void => {
    this.#isFlushDue = false;
    if (this.#state === "running" && !this.#isBroken) this.#caller.flush();
  };

  #judgeHead(head: AnswerHead): Problem | undefined {
    if (head.status === 502) this.#answeredProblem = new Problem("function-failed");
    else if (head.status === 504) this.#answeredProblem = new Problem("function-reported-timeout");
    else if (head.status !== 200)
      return new Problem("function-response-invalid", { reason: `its status is ${head.status}` });
    else if (head.framing.kind === "length" && head.framing.bytes > this.#deps.limits.responseBodyBytesMax)
      return new Problem("function-response-too-large", { bytesMax: this.#deps.limits.responseBodyBytesMax });
    else return this.#caller.begin(head);
    return undefined;
  }

  /** Gives up on the answer; an instance that others use as well is retired instead of destroyed under them. */
  #abandon(problem: Problem): void {
    if (this.#instance?.calls.length === 1) {
      this.#destroyAndFail(problem);
      return;
    }
    const { instance, connection } = this.#settle();
    connection.destroy();
    instance.isRetired = true;
    this.#pool.release(instance, this, connection);
    this.#finish(problem);
  }

  #destroyAndFail(problem: Problem): void {
    if (this.#state !== "running") return;
    const { instance, connection } = this.#settle();
    connection.destroy();
    void this.#pool
      .destroy(instance, this)
      .then(() => instance.flushOutput())
      .then(() => this.#finish(problem));
  }

  #settle(): { readonly instance: PooledInstance; readonly connection: InstanceConnection } {
    const instance = this.#instance;
    const connection = this.#connection;
    if (instance === undefined || connection === undefined) throw new Error("a running call has an instance");
    this.#state = "settling";
    this.#endedMs = this.#deps.clock.monotonicMs();
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.#feed.stop();
    return { instance, connection };
  }

  #finish(problem: Problem | undefined): void {
    if (this.#endedMs === 0) this.#endedMs = this.#deps.clock.monotonicMs();
    this.#state = "finished";
    if (problem !== undefined) this.#caller.fail(problem);
    const status = problem === undefined ? "succeeded" : statusOfProblem(problem);
    this.#report.finished(this.facts, this.#figures(), { status, problem, captured: this.#captured });
    this.#deps.onFinished();
  }

  #figures() {
    return {
      startedAtMs: this.#startedAtMs,
      waitUs: Math.round(((this.#startedMs ?? this.#endedMs) - this.waitingSinceMs) * 1000),
      runUs: Math.round(this.runMs * 1000),
      isColdStart: this.#isColdStart,
      requestBytes: this.#requestBytes,
      responseBytes: this.#responseBytes,
      httpStatus: this.#caller.httpStatus,
    };
  }
}
