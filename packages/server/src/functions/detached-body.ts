import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { isProblem, limits, Problem } from "@chaya/contract";
import type { PayloadDriver } from "../drivers/payload/driver.ts";

/** A detached call's body, on disk or small enough to lie in its row of work. */
export interface StoredBody {
  readonly payload: Uint8Array | undefined;
  readonly payloadId: string | undefined;
  readonly bytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

/** Reads the whole body and keeps it. Throws `body-too-large`, and `client-gone` when it ends early. */
export async function storeBody(payloads: PayloadDriver, body: Readable | Uint8Array): Promise<StoredBody> {
  const bytesMax = limits.detachedBodyBytesMax;
  if (body instanceof Uint8Array) {
    if (body.length > bytesMax) throw new Problem("body-too-large", { bytesMax });
    return body.length <= limits.workPayloadInlineBytesMax ? inline(body) : write(payloads, [body]);
  }
  const { begun, isWhole } = await readBeginning(body, limits.workPayloadInlineBytesMax);
  return isWhole ? inline(begun) : write(payloads, continued(begun, body));
}

/** Opens a stored body when it is first read, so that whoever takes it need not wait. */
export function openBody(
  payloads: PayloadDriver,
  stored: { readonly payload: Uint8Array | undefined; readonly payloadId: string | undefined },
): Readable | Uint8Array {
  const { payload, payloadId } = stored;
  if (payloadId === undefined) return payload ?? new Uint8Array(0);
  const read = async function* () {
    yield* await payloads.read(payloadId);
  };
  return Readable.from(read(), { objectMode: false });
}

function inline(payload: Uint8Array): StoredBody {
  const sha256 = createHash("sha256").update(payload).digest("hex");
  return { payload, payloadId: undefined, bytes: payload.length, sha256 };
}

async function write(
  payloads: PayloadDriver,
  source: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<StoredBody> {
  const { id, bytes, sha256 } = await payloads.write(Readable.from(source), {
    bytesMax: limits.detachedBodyBytesMax,
  });
  return { payload: undefined, payloadId: id, bytes, sha256 };
}

async function* continued(begun: Uint8Array, rest: Readable): AsyncIterable<Uint8Array> {
  yield begun;
  try {
    yield* rest;
  } catch (cause) {
    throw isProblem(cause) ? cause : clientGone(cause);
  }
}

/** Reads until more than `bytesMax` came or all did; by events, since most bodies are one small piece. */
function readBeginning(body: Readable, bytesMax: number): Promise<{ begun: Uint8Array; isWhole: boolean }> {
  return new Promise((resolve, reject) => {
    const parts: Uint8Array[] = [];
    let bytes = 0;
    const stop = () => {
      body.off("data", onData).off("end", onEnd).off("error", onGone).off("close", onGone);
    };
    const onData = (part: Uint8Array) => {
      parts.push(part);
      bytes += part.length;
      if (bytes <= bytesMax) return;
      stop();
      body.pause();
      resolve({ begun: Buffer.concat(parts), isWhole: false });
    };
    const onEnd = () => {
      stop();
      resolve({ begun: Buffer.concat(parts), isWhole: true });
    };
    const onGone = (cause?: unknown) => {
      stop();
      reject(isProblem(cause) ? cause : clientGone(cause));
    };
    body.on("data", onData).on("end", onEnd).on("error", onGone).on("close", onGone);
  });
}

function clientGone(cause: unknown): Problem {
  return new Problem("client-gone", {}, { cause });
}
