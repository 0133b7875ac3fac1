import { isProblem, limits, Problem } from "@chaya/contract";
import type { Inspector, InstanceSpec, OutputLine, RuntimeDriver, StartResult } from "../../drivers/runtime/driver.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { NewId } from "../../kernel/ids.ts";
import type { Logger } from "../../kernel/logger.ts";
import type { TurnEnd } from "../../kernel/turn-end.ts";
import type { ObservedLine, ObserveLine, ReadSecrets, RedactSecrets } from "../../seams.ts";
import type { FunctionDoor } from "../door/function-door.ts";
import type { InstanceDoor } from "../door/instance-door.ts";
import type { Application, FunctionRecord } from "../model.ts";
import type { CredentialKeeper, IssuedCredentials } from "./credential-keeper.ts";
import { CredentialMask } from "./credential-mask.ts";
import { networkOf } from "./instance-network.ts";
import { PooledInstance } from "./pooled-instance.ts";
import { principalEnvironment } from "./principal-environment.ts";
import { StartOutput } from "./start-output.ts";

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

/** What a start must wait for, and how it differs from others. */
export interface StartTerms {
  /** Resolves when there is room for it. */
  readonly room: Promise<unknown>;
  /** It is to be debugged, for `limits.inspectionMsMax` at most: called when its inspector can be reached. */
  readonly onInspector?: (inspector: Inspector) => void;
}

export interface InstanceStarterDeps {
  readonly clock: Clock;
  readonly ids: NewId;
  readonly logger: Logger;
  readonly runtime: RuntimeDriver;
  readonly door: FunctionDoor;
  readonly readSecrets: ReadSecrets;
  readonly credentials: CredentialKeeper;
  /** The name of this region, as in OCIDs. */
  readonly region: string;
  readonly observeLine: ObserveLine;
  readonly redact: RedactSecrets;
  /** Whether callers may read what a failed start printed: they are its author, on this machine. */
  readonly tellsStartOutput: () => boolean;
  readonly turnEnd: TurnEnd;
}

/** Starts instances for pools; every way a start can end is a value. */
export class InstanceStarter {
  readonly #deps: InstanceStarterDeps;

  constructor(deps: InstanceStarterDeps) {
    this.#deps = deps;
  }

  /** Starts once `room` has been made; an abort ends the start and leaves nothing behind. */
  async start(subject: PoolSubject, { room, onInspector }: StartTerms, signal: AbortSignal): Promise<StartOutcome> {
    const instanceId = this.#deps.ids();
    try {
      await room;
      const { application, function: fn } = subject;
      const { credentials, readSecrets, region, runtime } = this.#deps;
      const issued = credentials.issue({ functionId: fn.id, compartmentId: application.compartmentId });
      const secrets = await readSecrets(application.id, fn.id);
      if (signal.aborted) return { kind: "aborted" };
      const network = networkOf(fn, runtime.abilities);
      const inspected = onInspector && { onInspector, startTimeoutMs: limits.inspectionMsMax };
      const spec = { ...specOf(subject, { secrets, region }), ...inspected, instanceId, network };
      return await this.#run({ subject, issued }, spec, signal);
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

  /** The instance's door is open from the beginning, and revoked with the start unless it succeeds. */
  async #run(
    { subject, issued }: { readonly subject: PoolSubject; readonly issued: IssuedCredentials },
    spec: Omit<InstanceSpec, "credentials" | "onLine" | "onDoorConnection">,
    signal: AbortSignal,
  ): Promise<StartOutcome> {
    const { clock, runtime, credentials } = this.#deps;
    const output = new InstanceOutput(this.#deps, subject, issued);
    const door = this.#deps.door.open({
      caller: {
        ...{ id: spec.instanceId, application: subject.application, function: subject.function },
        startedAtMs: clock.nowMs(),
        get callId() {
          return output.instance?.callId;
        },
      },
      isPrivate: runtime.abilities.isolatesNetwork === true,
      onExcess: () => output.say(tooManyConnections),
    });
    const revoke = () => door.revoke();
    signal.addEventListener("abort", revoke, { once: true });
    let outcome: StartOutcome | undefined;
    try {
      const callbacks = { onLine: output.onLine, onDoorConnection: door.accept };
      const result = await runtime.start({ ...spec, ...callbacks, credentials: issued.forRuntime }, signal);
      if (result.kind === "started")
        credentials.keepFresh(result.instance, subject.function.id, await issued.principal);
      outcome = this.#outcome(result, { subject, output, door });
      return outcome;
    } finally {
      signal.removeEventListener("abort", revoke);
      if (outcome?.kind !== "started") revoke();
    }
  }

  #outcome(
    result: StartResult,
    started: { readonly subject: PoolSubject; readonly output: InstanceOutput; readonly door: InstanceDoor },
  ): StartOutcome {
    const { key, function: fn } = started.subject;
    const output = started.output.ofStart();
    switch (result.kind) {
      case "started": {
        const instance = new PooledInstance(result.instance, {
          key,
          turnEnd: this.#deps.turnEnd,
          door: started.door,
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
        return { kind: "failed", problem: new Problem("instance-start-failed", { how: result.how, output }) };
      case "not-inspectable":
        return { kind: "failed", problem: new Problem("inspection-unavailable", { reason: result.reason }) };
      case "timed-out": {
        const startTimeoutMs = limits.instanceStartTimeoutMs;
        return { kind: "failed", problem: new Problem("instance-start-timed-out", { startTimeoutMs, output }) };
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
  readonly #deps: InstanceStarterDeps;
  readonly #subject: PoolSubject;
  readonly #masks: Readonly<Record<OutputLine["stream"], CredentialMask>>;
  #start: StartOutput | undefined;

  constructor(deps: InstanceStarterDeps, subject: PoolSubject, { tokenBegin }: IssuedCredentials) {
    this.#deps = deps;
    this.#subject = subject;
    this.#start = deps.tellsStartOutput() ? new StartOutput() : undefined;
    const mask = () => new CredentialMask(tokenBegin);
    this.#masks = { stdout: mask(), stderr: mask(), platform: mask() };
  }

  /** What it printed last until now, which is the end of its start; undefined: nothing, or nothing to tell. */
  ofStart(): string | undefined {
    const text = this.#start?.text((bytes) => this.#deps.redact(this.#subject.application.id, bytes));
    this.#start = undefined;
    return text;
  }

  readonly onLine = (line: OutputLine): void => {
    const bytes = this.#masks[line.stream].hide(line.bytes);
    this.#start?.add(bytes);
    this.#observe({ ...line, bytes });
  };

  /** A line of the platform about the instance. */
  say(text: string): void {
    this.#observe({ stream: "platform", bytes: Buffer.from(text), isCut: false });
  }

  #observe(line: Pick<ObservedLine, "stream" | "bytes" | "isCut">): void {
    const { application, function: fn } = this.#subject;
    this.#deps.observeLine({
      atMs: this.#deps.clock.nowMs(),
      applicationId: application.id,
      applicationName: application.name,
      functionId: fn.id,
      functionName: fn.name,
      callId: this.instance?.callId,
      ...line,
    });
  }
}

const tooManyConnections = `connections to OCI_LOCAL_ENDPOINT beyond ${limits.doorConnectionsPerInstanceMax} at once are closed: reuse them`;

function specOf(
  { application, function: fn }: PoolSubject,
  { secrets, region }: { readonly secrets: Readonly<Record<string, string>>; readonly region: string },
): Omit<InstanceSpec, "instanceId" | "network" | "credentials" | "onLine" | "onDoorConnection"> {
  return {
    image: fn.image,
    functionId: fn.id,
    functionName: fn.name,
    applicationId: application.id,
    applicationName: application.name,
    memoryMiB: fn.memoryMiB,
    environment: principalEnvironment({ ...application.config, ...fn.config, ...secrets }, region),
    startTimeoutMs: limits.instanceStartTimeoutMs,
  };
}
