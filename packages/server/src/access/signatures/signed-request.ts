import type { IncomingMessage } from "node:http";
import { limits, Problem } from "@chaya/contract";
import { malformed, parseSignatureHeader } from "./signature-header.ts";

/** A request with a signature that covers what it must; whether it is right is not known yet. */
export interface SignedRequest {
  readonly keyId: string;
  readonly signature: Buffer;
  /** The target as it came. */
  readonly target: string;
  /** What was signed if it was for this target; Latin 1. */
  readonly signingString: (target: string) => string;
  /** Base64, when the client signed it. */
  readonly bodySha256: string | undefined;
}

export interface SigningRules {
  readonly nowMs: number;
  /** The request may leave its body unsigned. */
  readonly isBodyOptional: boolean;
}

const bodyHeaders = ["content-type", "content-length", "x-content-sha256"] as const;
const bodyMethods: ReadonlySet<string | undefined> = new Set(["POST", "PUT", "PATCH"]);
const sha256InBase64 = /^[A-Za-z0-9+/]{43}=$/;
/** RFC 9110 §5.6.7, the form that is generated. */
const httpDate = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/**
 * Reads what was signed and by which key. `parameters` stand behind the scheme in Authorization. Throws
 * `signature-malformed`, `signature-incomplete` or `signature-date-off`.
 */
export function readSignedRequest(request: IncomingMessage, parameters: string, rules: SigningRules): SignedRequest {
  const { keyId, headers: names, signature } = parseSignatureHeader(parameters);
  const isBodySigned = !rules.isBodyOptional && bodyMethods.has(request.method);
  checkCovered(names, isBodySigned);
  const values = signedValues(request.rawHeaders, names);
  // OCI documentation, "Request Signatures": browsers cannot set Date, so x-date goes before it.
  checkDate(values.get("x-date") ?? values.get("date") ?? "", rules.nowMs);
  const bodySha256 = values.get("x-content-sha256");
  if (bodySha256 !== undefined && !sha256InBase64.test(bodySha256))
    throw malformed("x-content-sha256 is not a SHA-256 in base64");
  return {
    ...{ keyId, signature, bodySha256, target: request.url ?? "" },
    signingString: (target) => signingString({ request, names, values }, target),
  };
}

function checkCovered(names: readonly string[], isBodySigned: boolean): void {
  const needed = ["(request-target)", "host", ...(isBodySigned ? bodyHeaders : [])];
  const missing = needed.filter((name) => !names.includes(name));
  if (!names.includes("x-date") && !names.includes("date")) missing.push("date");
  if (missing.length > 0) throw new Problem("signature-incomplete", { missing: missing.join(", ") });
}

/** A header that is there twice could be read as either, so it must not be signed. */
function signedValues(rawHeaders: readonly string[], names: readonly string[]): ReadonlyMap<string, string> {
  const wanted = new Set(names);
  const values = new Map<string, string>();
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? "").toLowerCase();
    if (!wanted.has(name)) continue;
    if (values.has(name)) throw malformed(`${name} is signed and there twice`);
    values.set(name, rawHeaders[index + 1] ?? "");
  }
  for (const name of names)
    if (name !== requestTarget && !values.has(name))
      throw new Problem("signature-incomplete", { missing: `the header ${name}, which it names` });
  return values;
}

function checkDate(text: string, nowMs: number): void {
  const atMs = httpDate.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(atMs)) throw malformed("its date is not one as in 'Thu, 05 Jan 2014 21:31:40 GMT'");
  const skewMsMax = limits.signatureSkewMsMax;
  if (Math.abs(nowMs - atMs) > skewMsMax) throw new Problem("signature-date-off", { skewMsMax });
}

const requestTarget = "(request-target)";

interface Signed {
  readonly request: IncomingMessage;
  readonly names: readonly string[];
  readonly values: ReadonlyMap<string, string>;
}

function signingString({ request, names, values }: Signed, target: string): string {
  const lineOf = (name: string) =>
    name === requestTarget ? `${(request.method ?? "").toLowerCase()} ${target}` : values.get(name);
  return names.map((name) => `${name}: ${lineOf(name)}`).join("\n");
}
