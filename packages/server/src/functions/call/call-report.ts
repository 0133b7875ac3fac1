// Hot path: ARCHITECTURE, hot-path rules
import type { Problem } from "@chaya/contract";
import type { CallView } from "@chaya/contract/chaya";
import type { Clock } from "../../kernel/clock.ts";
import type { CallProblem, CaptureInput, ObserveCall, ObservedCall, ObserveLine } from "../../seams.ts";
import type { FunctionRecord } from "../model.ts";
import type { CallFacts } from "./call-facts.ts";
import type { CapturedPrefix } from "./captured-prefix.ts";

export interface CallReportDeps {
  readonly clock: Clock;
  readonly observeCall: ObserveCall;
  readonly observeLine: ObserveLine;
  readonly captureInput: CaptureInput;
}

/** What was measured of a call so far. */
export interface CallFigures {
  readonly startedAtMs: number | undefined;
  readonly waitUs: number;
  readonly runUs: number;
  readonly isColdStart: boolean;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly httpStatus: number | undefined;
}

export interface CallOutcome {
  readonly status: CallView["status"];
  readonly problem: Problem | undefined;
  readonly captured: CapturedPrefix | undefined;
}

/** What a record says of a call whatever becomes of it. */
export interface ReportedFacts {
  readonly id: string;
  readonly application: { readonly id: string; readonly name: string };
  readonly function: Pick<FunctionRecord, "id" | "name" | "image" | "memoryMiB">;
  readonly source: CallView["source"];
  readonly attempt: number;
  readonly acceptedAtMs: number;
  readonly causeId: string | undefined;
  readonly traceId: string | undefined;
}

/** Who is told how a call goes on. */
export type CallReporter = Pick<CallReport, "running" | "finished">;

const nothingYet: CallFigures = {
  startedAtMs: undefined,
  waitUs: 0,
  runUs: 0,
  isColdStart: false,
  requestBytes: 0,
  responseBytes: 0,
  httpStatus: undefined,
};

/** Tells telemetry about calls: a record whenever one changes, a platform line for a failure, inputs worth keeping. */
export class CallReport {
  readonly #deps: CallReportDeps;

  constructor(deps: CallReportDeps) {
    this.#deps = deps;
  }

  /** A call that runs later was accepted, or must wait again and why. */
  queued(
    facts: ReportedFacts,
    options: { readonly requestBytes: number; readonly problem?: Problem | undefined },
  ): void {
    const figures = { ...nothingYet, requestBytes: options.requestBytes };
    this.#observe(facts, figures, { status: "queued", problem: options.problem });
  }

  /** A queued call will never run. */
  died(facts: ReportedFacts, problem: CallProblem, requestBytes: number): void {
    const finishedAtMs = this.#deps.clock.nowMs();
    const figures = { ...nothingYet, requestBytes };
    this.#deps.observeCall(observed(facts, figures, { status: "refused", problem, finishedAtMs }));
    this.#say(facts, finishedAtMs, problem);
  }

  /** For detached calls: one that the platform refused waits on. */
  readonly whileQueued: CallReporter = {
    running: (facts, figures) => this.running(facts, figures),
    finished: (facts, figures, outcome) => {
      if (outcome.status !== "refused") this.finished(facts, figures, outcome);
      else this.queued(facts, { requestBytes: figures.requestBytes, problem: outcome.problem });
    },
  };

  running(facts: CallFacts, figures: CallFigures): void {
    this.#observe(facts, figures, { status: "running", problem: undefined });
  }

  finished(facts: CallFacts, figures: CallFigures, outcome: CallOutcome): void {
    this.#observe(facts, figures, outcome);
    if (outcome.problem !== undefined) this.#say(facts, this.#deps.clock.nowMs(), describe(outcome.problem));
    const wanted = facts.function.settings.capture;
    if (outcome.captured === undefined || (wanted === "failures" && outcome.status === "succeeded")) return;
    this.#deps.captureInput({
      callId: facts.id,
      functionId: facts.function.id,
      contentType: facts.contentType,
      bytes: outcome.captured.joined(),
    });
  }

  #observe(
    facts: ReportedFacts,
    figures: CallFigures,
    outcome: { readonly status: CallView["status"]; readonly problem: Problem | undefined },
  ): void {
    const isOver = outcome.status !== "queued" && outcome.status !== "running";
    const finishedAtMs = isOver ? this.#deps.clock.nowMs() : undefined;
    const problem = outcome.problem === undefined ? undefined : describe(outcome.problem);
    this.#deps.observeCall(observed(facts, figures, { status: outcome.status, problem, finishedAtMs }));
  }

  #say(facts: ReportedFacts, atMs: number, problem: CallProblem): void {
    this.#deps.observeLine({
      atMs,
      applicationId: facts.application.id,
      applicationName: facts.application.name,
      functionId: facts.function.id,
      functionName: facts.function.name,
      callId: facts.id,
      stream: "platform",
      bytes: Buffer.from(problemLine(problem)),
      isCut: false,
    });
  }
}

/** A sentence that quotes lines of output ends with them: what follows begins a line of its own. */
function problemLine({ sentence, hint }: CallProblem): string {
  return `${sentence}${sentence.includes("\n") ? "\n" : " "}${hint}`;
}

export function describe(problem: Problem): {
  readonly code: string;
  readonly sentence: string;
  readonly hint: string;
} {
  return { code: problem.code, sentence: problem.message, hint: problem.hint };
}

/** Written out: spreading objects costs more than the rest of a report. */
function observed(
  facts: ReportedFacts,
  figures: CallFigures,
  outcome: Pick<ObservedCall, "status" | "problem" | "finishedAtMs">,
): ObservedCall {
  return {
    id: facts.id,
    applicationId: facts.application.id,
    applicationName: facts.application.name,
    functionId: facts.function.id,
    functionName: facts.function.name,
    image: facts.function.image,
    source: facts.source,
    status: outcome.status,
    attempt: facts.attempt,
    httpStatus: figures.httpStatus,
    acceptedAtMs: facts.acceptedAtMs,
    startedAtMs: figures.startedAtMs,
    finishedAtMs: outcome.finishedAtMs,
    waitUs: figures.waitUs,
    runUs: figures.runUs,
    isColdStart: figures.isColdStart,
    requestBytes: figures.requestBytes,
    responseBytes: figures.responseBytes,
    memoryMiB: facts.function.memoryMiB,
    problem: outcome.problem,
    causeId: facts.causeId,
    traceId: facts.traceId,
  };
}
