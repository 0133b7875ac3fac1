// Hot path: ARCHITECTURE, hot-path rules
import { Problem } from "@chaya/contract";
import type { AnswerHead } from "./answer-head.ts";
import { hopHeadersOf } from "./hop-headers.ts";

/** The head that the caller gets. Its length is not in it: framing is decided where it is sent. */
export interface CallerHead {
  readonly status: number;
  readonly headers: string[];
}

/** How the head of a function's answer becomes the head of the caller's; a problem when it cannot. */
export type MapAnswer = (head: AnswerHead) => CallerHead | Problem;

/** A direct invoke: 200 and the function's headers as they are, less hop-by-hop, framing and the call id. */
export const directAnswer: MapAnswer = (head) => {
  const isHop = hopHeadersOf(head.headers);
  const headers: string[] = [];
  for (let index = 0; index < head.headers.length; index += 2) {
    const name = head.headers[index] ?? "";
    const lowerName = name.toLowerCase();
    if (isHop(lowerName) || lowerName === "content-length" || lowerName === "fn-call-id") continue;
    headers.push(name, head.headers[index + 1] ?? "");
  }
  return { status: 200, headers };
};

/** OCI's invoke: 200, and of the function's headers those that say how to read the body. */
export const ociAnswer: MapAnswer = (head) => {
  const headers: string[] = [];
  for (let index = 0; index < head.headers.length; index += 2) {
    const name = head.headers[index] ?? "";
    const lowerName = name.toLowerCase();
    if (lowerName === "content-type" || lowerName === "content-encoding")
      headers.push(name, head.headers[index + 1] ?? "");
  }
  return { status: 200, headers };
};

const prefix = "fn-http-h-";

/**
 * An HTTP trigger: the status of Fn-Http-Status, Content-Type, and what follows `Fn-Http-H-`; a function behind a
 * trigger says nothing about framing, the connection or the platform's own headers.
 */
export const triggerAnswer: MapAnswer = (head) => {
  const isHop = hopHeadersOf(unprefixed(head.headers));
  const headers: string[] = [];
  let status: number | undefined;
  for (let index = 0; index < head.headers.length; index += 2) {
    const name = head.headers[index] ?? "";
    const value = head.headers[index + 1] ?? "";
    const lowerName = name.toLowerCase();
    if (lowerName === "content-type") headers.push(name, value);
    else if (lowerName === "fn-http-status") status ??= statusOf(value);
    else if (lowerName.startsWith(prefix)) {
      const bare = lowerName.slice(prefix.length);
      if (bare === "" || bare === "content-length" || bare.startsWith("fn-") || isHop(bare)) continue;
      headers.push(name.slice(prefix.length), value);
    }
  }
  if (status !== undefined && (status < 200 || status > 599))
    return new Problem("function-response-invalid", { reason: `it has the status ${status}` });
  return { status: status ?? 200, headers };
};

/** What is not a number counts as absent, as Fn reads it. */
function statusOf(value: string): number | undefined {
  return /^[0-9]{1,9}$/.test(value) ? Number(value) : undefined;
}

/** The headers as the caller would see them, to learn what their Connection header names. */
function unprefixed(headers: readonly string[]): readonly string[] {
  const bare: string[] = [];
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] ?? "";
    if (name.length === prefix.length + "connection".length && name.toLowerCase() === `${prefix}connection`)
      bare.push("connection", headers[index + 1] ?? "");
  }
  return bare;
}
