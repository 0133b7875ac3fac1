import type { PayloadDriver } from "../drivers/payload/driver.ts";
import type { Store } from "../drivers/store/driver.ts";
import type { TelemetryTables } from "../drivers/store/tables.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Logger } from "../kernel/logger.ts";
import type { CapturedInput, RedactSecrets, ResolveFunctions } from "../seams.ts";
import { type CapturedInputRecord, findInput, recordInput } from "./records/captured-inputs.ts";
import { storableText } from "./records/storable-text.ts";
import type { TelemetryLimits } from "./telemetry-limits.ts";
import { type Backlog, WriteBehind } from "./write-behind.ts";

export interface CapturedInputsDeps {
  readonly store: Store<TelemetryTables>;
  readonly payloads: PayloadDriver;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly redact: RedactSecrets;
  readonly resolve: ResolveFunctions;
  readonly limits: TelemetryLimits;
}

interface PendingInput extends CapturedInput {
  readonly capturedAtMs: number;
}

const batchInputsMax = 16;

/** Inputs of calls, kept for inspection: redacted, small ones in the record, larger ones as payloads. */
export class CapturedInputs {
  readonly #deps: CapturedInputsDeps;
  readonly #pending = new PendingInputs();
  readonly #writer: WriteBehind<readonly PendingInput[]>;
  /** Of inputs whose record the store has not taken yet: trying again does not write their bytes again. */
  readonly #payloadIds = new WeakMap<PendingInput, string>();
  #dropped = 0;

  constructor(deps: CapturedInputsDeps) {
    this.#deps = deps;
    this.#writer = new WriteBehind(deps, {
      what: "captured inputs",
      backlog: this.#pending,
      batchItemsMax: batchInputsMax,
      write: (inputs) => this.#write(inputs),
      onLost: (count) => {
        this.#dropped += count;
      },
    });
  }

  /** Inputs that were to be captured and were not. */
  get dropped(): number {
    return this.#dropped;
  }

  capture(input: CapturedInput): void {
    const applicationId = this.#deps.resolve.function(input.functionId, undefined)?.applicationId;
    const { capturedInputBytesMax, capturedInputBytesPendingMax } = this.#deps.limits;
    // Without its application nobody can tell which secrets the input may hold.
    if (applicationId === undefined || this.#pending.bytes >= capturedInputBytesPendingMax) {
      this.#dropped++;
      return;
    }
    const bytes = this.#deps.redact(applicationId, input.bytes).subarray(0, capturedInputBytesMax);
    this.#pending.add({ ...input, bytes, capturedAtMs: this.#deps.clock.nowMs() });
    this.#writer.added();
  }

  async find(callId: string): Promise<CapturedInputRecord | undefined> {
    await this.#writer.flush();
    return findInput(this.#deps.store.db, callId);
  }

  close(): Promise<void> {
    return this.#writer.close();
  }

  async #write(inputs: readonly PendingInput[]): Promise<void> {
    // The newest input of a call is the one that is kept, and one statement of a batch may not undo another.
    const newest = new Map(inputs.map((input) => [input.callId, input]));
    const records = await Promise.all([...newest.values()].map((input) => this.#toRecord(input)));
    await this.#deps.store.apply(records.map((record) => recordInput(this.#deps.store, record)));
  }

  async #toRecord(input: PendingInput): Promise<CapturedInputRecord> {
    const isInline = input.bytes.length <= this.#deps.limits.capturedInputInlineBytesMax;
    return {
      call_id: input.callId,
      function_id: input.functionId,
      captured_at_ms: input.capturedAtMs,
      content_type: storableText(input.contentType),
      bytes: input.bytes.length,
      payload: isInline ? input.bytes : null,
      payload_id: isInline ? null : await this.#payloadId(input),
    };
  }

  async #payloadId(input: PendingInput): Promise<string> {
    const known = this.#payloadIds.get(input);
    if (known !== undefined) return known;
    const { id } = await this.#deps.payloads.write(once(input.bytes), { bytesMax: input.bytes.length });
    this.#payloadIds.set(input, id);
    return id;
  }
}

class PendingInputs implements Backlog<readonly PendingInput[]> {
  #inputs: PendingInput[] = [];
  #bytes = 0;

  get size(): number {
    return this.#inputs.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(input: PendingInput): void {
    this.#inputs.push(input);
    this.#bytes += input.bytes.length;
  }

  take(countMax: number): readonly PendingInput[] {
    const taken = this.#inputs.slice(0, countMax);
    this.#inputs = this.#inputs.slice(countMax);
    for (const input of taken) this.#bytes -= input.bytes.length;
    return taken;
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
