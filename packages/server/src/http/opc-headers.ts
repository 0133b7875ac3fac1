import type { IncomingHttpHeaders } from "node:http";
import { Problem } from "@chaya/contract";

/** Printable enough for logs and headers of whoever reads it; the SDKs send 32 to 98 such characters. */
const requestIdPattern = /^[\w./:-]{1,128}$/;

/** What an OCI answer calls the request: as the client called it, or else `ownId`. */
export function opcRequestId(headers: Readonly<IncomingHttpHeaders>, ownId: string): string {
  const given = headers["opc-request-id"];
  return typeof given === "string" && requestIdPattern.test(given) ? given : ownId;
}

/**
 * Checks `If-Match` against the etag of what is about to be changed; to be called where nobody else can change it any
 * more. Throws `etag-mismatch`. OCI's etags stand without quotes; clients that know RFC 9110 add them, and may send several.
 */
export function checkIfMatch(headers: Readonly<IncomingHttpHeaders>, etag: string): void {
  const given = headers["if-match"];
  if (given === undefined) return;
  const accepted = given.split(",").map((one) => one.trim().replace(/^"(.*)"$/, "$1"));
  if (!accepted.includes("*") && !accepted.includes(etag)) throw new Problem("etag-mismatch");
}

/** The token under which a client repeats a creation. Throws `request-invalid`. */
export function opcRetryToken(headers: Readonly<IncomingHttpHeaders>): string | undefined {
  const given = headers["opc-retry-token"];
  if (given === undefined) return undefined;
  if (typeof given === "string" && /^[!-~]{1,64}$/.test(given)) return given;
  throw new Problem("request-invalid", {
    where: "header opc-retry-token",
    reason: "it must be 1 to 64 visible ASCII characters",
  });
}
