// Hot path: ARCHITECTURE, hot-path rules.
import { hash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { Problem } from "@chaya/contract";
import type { Exchange } from "./exchange.ts";
import type { Admitted } from "./principal.ts";

/** Compares a body with the digest that its client signed, if it signed one. Throws `body-digest-wrong`. */
export function checkBody({ bodySha256 }: Pick<Admitted, "bodySha256">, body: Uint8Array): void {
  if (bodySha256 === undefined) return;
  if (hash("sha256", body, "base64") !== bodySha256) throw new Problem("body-digest-wrong");
}

/** The same for a body that was digested on its way to where it is kept; `sha256` is hexadecimal. */
export function checkBodyDigest({ bodySha256 }: Pick<Admitted, "bodySha256">, sha256: string): void {
  if (bodySha256 === undefined) return;
  if (Buffer.from(sha256, "hex").toString("base64") !== bodySha256) throw new Problem("body-digest-wrong");
}

/**
 * The body of a signed request, whole and compared, for those who must not act on a byte that nobody signed. Throws
 * `body-too-large`, `body-digest-wrong`, and `client-gone` when it ends early.
 */
export async function readSignedBody(exchange: Exchange, bytesMax: number): Promise<Buffer> {
  const { request } = exchange;
  if (Number(request.headers["content-length"] ?? 0) > bytesMax) throw new Problem("body-too-large", { bytesMax });
  // What came with the head of the request is being parsed in this turn.
  await endOfTurn();
  const body = request.complete ? readArrived(request) : await readArriving(request, bytesMax);
  if (body.length > bytesMax) throw new Problem("body-too-large", { bytesMax });
  checkBody(exchange, body);
  return body;
}

function endOfTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Making a stream flow costs more than all the bytes of most bodies. */
function readArrived(request: IncomingMessage): Buffer {
  const parts: Buffer[] = [];
  for (let part = request.read(); part !== null; part = request.read()) parts.push(part);
  return joined(parts);
}

function readArriving(request: IncomingMessage, bytesMax: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let bytes = 0;
    const stop = () => {
      request.off("data", onData).off("end", onEnd).off("error", onGone).off("close", onGone);
    };
    const onData = (part: Buffer) => {
      parts.push(part);
      bytes += part.length;
      if (bytes <= bytesMax) return;
      stop();
      request.pause();
      reject(new Problem("body-too-large", { bytesMax }));
    };
    const onEnd = () => {
      stop();
      resolve(joined(parts));
    };
    const onGone = (cause?: unknown) => {
      stop();
      reject(new Problem("client-gone", {}, { cause }));
    };
    if (request.destroyed) onGone(request.errored);
    else request.on("data", onData).on("end", onEnd).on("error", onGone).on("close", onGone);
  });
}

function joined(parts: readonly Buffer[]): Buffer {
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
}
