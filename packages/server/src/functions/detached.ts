import { isProblem, limits, Problem } from "@chaya/contract";
import type { PayloadDriver } from "../drivers/payload/driver.ts";
import type { Store } from "../drivers/store/driver.ts";
import type { MainTables } from "../drivers/store/tables.ts";
import type { Clock, Timer } from "../kernel/clock.ts";
import type { NewId } from "../kernel/ids.ts";
import type { Logger } from "../kernel/logger.ts";
import type { DetachedAccepted, DetachedRequest } from "../seams.ts";
import type { NewWork, WorkQueue } from "../work/work.ts";
import { refuseCall } from "./admission.ts";
import type { CallReport } from "./call/call-report.ts";
import type { Calls } from "./calls.ts";
import { type StoredBody, storeBody } from "./detached-body.ts";
import { type DetachedDetails, detailsOf, factsOf } from "./detached-details.ts";
import { callWork } from "./detached-work.ts";
import type { Directory } from "./model.ts";
import { readKey, removeExpiredKeys, takingKey } from "./records/idempotency-keys.ts";

export interface DetachedDeps {
  readonly clock: Clock;
  readonly ids: NewId;
  readonly logger: Logger;
  readonly directory: Directory;
  readonly calls: Calls;
  readonly report: CallReport;
  readonly store: Store<MainTables>;
  readonly payloads: PayloadDriver;
  readonly work: WorkQueue;
}

export interface AcceptRequest extends DetachedRequest {
  /** As announced by the client. */
  readonly bodyBytes?: number;
}

const retryAfterFullMs = 1_000;
const keySweepMs = 60_000;
const keyPattern = /^[!-~]{1,255}$/;

/** Accepts calls that run later: their body, their key and their row of work, durable before the caller is told. */
export class DetachedCalls implements AsyncDisposable {
  readonly #deps: DetachedDeps;
  readonly #keySweep: Timer;
  #sweeping: Promise<void> = Promise.resolve();

  constructor(deps: DetachedDeps) {
    this.#deps = deps;
    this.#keySweep = deps.clock.every(keySweepMs, () => {
      this.#sweeping = this.#sweepKeys();
    });
  }

  /** Accepts a call; durable when it resolves. Throws what admission refuses and the problems of bodies and keys. */
  async accept(request: AcceptRequest): Promise<DetachedAccepted> {
    const { directory, work, payloads } = this.#deps;
    const fn = directory.function(request.functionId);
    const application = fn === undefined ? undefined : directory.application(fn.applicationId);
    if (fn === undefined || application === undefined)
      throw new Problem("function-not-found", { function: request.functionId });
    const refusal = refuseCall({ ...request, function: fn, bodyBytes: 0 }, this.#deps.calls.node);
    if (refusal !== undefined) throw refusal;
    if (request.idempotencyKey !== undefined && !keyPattern.test(request.idempotencyKey))
      throw new Problem("idempotency-key-invalid");
    if ((request.bodyBytes ?? 0) > limits.detachedBodyBytesMax)
      throw new Problem("body-too-large", { bytesMax: limits.detachedBodyBytesMax });
    const waitingMax = limits.detachedWaitingPerFunctionMax;
    if ((await work.count(callWork, fn.id)) >= waitingMax)
      throw new Problem("queue-full", { waitingMax }, { retryAfterMs: retryAfterFullMs });
    const body = await storeBody(payloads, request.body);
    const details = detailsOf({
      ...{ application, function: fn, request },
      ...{ bodyBytes: body.bytes, acceptedAtMs: this.#deps.clock.nowMs() },
    });
    const item = this.#newWork(request, { body, details, attemptsMax: 1 + fn.settings.retries });
    try {
      const accepted = await this.#add(item, { body, key: request.idempotencyKey });
      const { report } = this.#deps;
      if (accepted.isRepeat) await this.#drop(body);
      else report.queued(factsOf({ ...item, attempt: 1 }, details), { requestBytes: body.bytes });
      return accepted;
    } catch (error) {
      // A commit that failed without an answer may have happened: then a row names the body. The collector finds out.
      if (isProblem(error, "idempotency-key-reused")) await this.#drop(body);
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#keySweep.cancel();
    await this.#sweeping;
  }

  #newWork(
    request: AcceptRequest,
    made: { readonly body: StoredBody; readonly details: DetachedDetails; readonly attemptsMax: number },
  ): NewWork {
    return {
      id: this.#deps.ids(),
      kind: callWork,
      lane: request.functionId,
      dueAtMs: this.#deps.clock.nowMs(),
      attemptsMax: made.attemptsMax,
      ageMsMax: limits.detachedAgeMsMax,
      payload: made.body.payload,
      payloadId: made.body.payloadId,
      details: made.details,
      causeId: request.causeId,
      traceId: request.traceId,
    };
  }

  async #add(
    item: NewWork,
    given: { readonly body: StoredBody; readonly key: string | undefined },
  ): Promise<DetachedAccepted> {
    const { store, work } = this.#deps;
    const { key, body } = given;
    if (key === undefined) {
      await work.add(item);
      return { callId: item.id, isRepeat: false };
    }
    const taken = {
      functionId: item.lane,
      key,
      fingerprint: body.sha256,
      callId: item.id,
      expiresAtMs: item.dueAtMs + limits.idempotencyKeyAgeMsMax,
    };
    for (;;) {
      const applied = await store.apply([...takingKey(store, taken, item.dueAtMs), ...work.adding(item)]);
      if (applied.kind === "applied") {
        work.added([item]);
        return { callId: item.id, isRepeat: false };
      }
      const first = await readKey(store, item.lane, key);
      // It expired between the two: the next try takes it.
      if (first === undefined) continue;
      if (first.fingerprint !== body.sha256) throw new Problem("idempotency-key-reused");
      return { callId: first.callId, isRepeat: true };
    }
  }

  /** The body of a call that was not accepted; what remains is the collector's. */
  async #drop(body: StoredBody): Promise<void> {
    if (body.payloadId !== undefined) await this.#deps.payloads.remove(body.payloadId);
  }

  async #sweepKeys(): Promise<void> {
    try {
      await removeExpiredKeys(this.#deps.store, this.#deps.clock.nowMs());
    } catch (error) {
      this.#deps.logger.warn("expired idempotency keys could not be removed now", { error });
    }
  }
}
