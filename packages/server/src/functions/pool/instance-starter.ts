import { isProblem, limits, Problem } from "@chaya/contract";
import type { InstanceSpec, OutputLine, RuntimeDriver, StartResult } from "../../drivers/runtime/driver.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { NewId } from "../../kernel/ids.ts";
import type { Logger } from "../../kernel/logger.ts";
import type { TurnEnd } from "../../kernel/turn-end.ts";
import type { ObserveLine, ReadSecrets } from "../../seams.ts";
import type { Application, FunctionRecord } from "../model.ts";
import { PooledInstance } from "./pooled-instance.ts";

/** What instances of a pool are started for. */
export interface PoolSubject {
  readonly application: Application;
  readonly function: FunctionRecord;
  /** Changes when instances of the present configuration must not serve any more. */
  readonly key: string;
}

export type StartOutcome =
  | { readonly kind: "started"; readonly instance: PooledInstance }
  | { readonly kind: "failed"; readonly problem: Problem }
  | { readonly kind: "aborted" };

export interface InstanceStarterDeps {
  readonly clock: Clock;
  readonly ids: NewId;
  readonly logger: Logger;
  readonly runtime: RuntimeDriver;
  readonly readSecrets: ReadSecrets;
  readonly observeLine: ObserveLine;
  readonly turnEnd: TurnEnd;
}

/** Starts instances for pools; every way a start can end is a value. */
export class InstanceStarter {
  readonly #deps: InstanceStarterDeps;

  constructor(deps: InstanceStarterDeps) {
    this.#deps = deps;
  }

  /** Starts once `room` has been made; an abort ends the start and leaves nothing behind. */
  async start(subject: PoolSubject, room: Promise<unknown>, signal: AbortSignal): Promise<StartOutcome> {
    const instanceId = this.#deps.ids();
    try {
      await room;
      const { application, function: fn } = subject;
      const secrets = await this.#deps.readSecrets(application.id, fn.id);
      if (signal.aborted) return { kind: "aborted" };
      const output = new InstanceOutput(this.#deps, subject);
      const spec = { ...specOf(subject, secrets), instanceId, onLine: output.onLine };
      return this.#outcome(await this.#deps.runtime.start(spec, signal), { subject, output });
    } catch (error) {
      if (signal.aborted) return { kind: "aborted" };
      if (isProblem(error)) return { kind: "failed", problem: error };
      this.#deps.logger.error("an instance could not be started", {
        instanceId,
        functionId: subject.function.id,
        error,
      });
      return { kind: "failed", problem: new Problem("internal", { requestId: instanceId }, { cause: error }) };
    }
  }

  #outcome(
    result: StartResult,
    started: { readonly subject: PoolSubject; readonly output: InstanceOutput },
  ): StartOutcome {
    const { key, function: fn } = started.subject;
    switch (result.kind) {
      case "started": {
        const instance = new PooledInstance(result.instance, {
          key,
          turnEnd: this.#deps.turnEnd,
          nowMs: this.#deps.clock.monotonicMs(),
          place: { applicationId: fn.applicationId, memoryMiB: fn.memoryMiB },
        });
        started.output.instance = instance;
        return { kind: "started", instance };
      }
      case "image-unavailable":
      case "image-damaged":
        return { kind: "failed", problem: new Problem(result.kind, { image: fn.image, reason: result.reason }) };
      case "failed":
        return { kind: "failed", problem: new Problem("instance-start-failed", { how: result.how }) };
      case "timed-out": {
        const startTimeoutMs = limits.instanceStartTimeoutMs;
        return { kind: "failed", problem: new Problem("instance-start-timed-out", { startTimeoutMs }) };
      }
      case "aborted":
        return result;
      default:
        return result satisfies never;
    }
  }
}

/** Attributes what an instance prints to the call it is busy with, when that is exactly one. */
class InstanceOutput {
  instance: PooledInstance | undefined;
  readonly #deps: Pick<InstanceStarterDeps, "clock" | "observeLine">;
  readonly #subject: PoolSubject;

  constructor(deps: Pick<InstanceStarterDeps, "clock" | "observeLine">, subject: PoolSubject) {
    this.#deps = deps;
    this.#subject = subject;
  }

  readonly onLine = (line: OutputLine): void => {
    const { application, function: fn } = this.#subject;
    const calls = this.instance?.calls;
    this.#deps.observeLine({
      atMs: this.#deps.clock.nowMs(),
      applicationId: application.id,
      applicationName: application.name,
      functionId: fn.id,
      functionName: fn.name,
      callId: calls?.length === 1 ? calls[0]?.id : undefined,
      ...line,
    });
  };
}

function specOf(
  { application, function: fn }: PoolSubject,
  secrets: Readonly<Record<string, string>>,
): Omit<InstanceSpec, "instanceId" | "onLine"> {
  return {
    image: fn.image,
    functionId: fn.id,
    functionName: fn.name,
    applicationId: application.id,
    applicationName: application.name,
    memoryMiB: fn.memoryMiB,
    environment: { ...application.config, ...fn.config, ...secrets },
    startTimeoutMs: limits.instanceStartTimeoutMs,
    network: fn.settings.network ?? "outbound",
  };
}
