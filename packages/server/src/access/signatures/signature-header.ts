import { Problem } from "@chaya/contract";

/** What stands in `Authorization: Signature …`. */
export interface SignatureHeader {
  readonly keyId: string;
  /** Names in lower case, in the order in which they were signed. */
  readonly headers: readonly string[];
  readonly signature: Buffer;
}

const parameter = /[ \t]*([A-Za-z]+)="([^"\\]*)"[ \t]*(,|$)/y;
const known: ReadonlySet<string> = new Set(["version", "keyId", "algorithm", "headers", "signature"]);
const signedName = /^(?:\(request-target\)|[!#$%&'*+\-.^_`|~0-9a-z]+)$/;
const base64 = /^(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * Reads the parameters behind the scheme, in any order. Source: draft-cavage-http-signatures-08 §2.1, as OCI narrows it:
 * version 1, rsa-sha256, and a list of headers that is there. Throws `signature-malformed`.
 */
export function parseSignatureHeader(parameters: string): SignatureHeader {
  const read = readParameters(parameters);
  const version = read.get("version") ?? "1";
  if (version !== "1") throw malformed(`version "${version}" is not "1"`);
  const algorithm = required(read, "algorithm");
  if (algorithm !== "rsa-sha256") throw malformed(`algorithm "${algorithm}" is not "rsa-sha256"`);
  const signature = required(read, "signature");
  if (!base64.test(signature)) throw malformed("its signature is not base64");
  return {
    keyId: required(read, "keyId"),
    headers: readNames(required(read, "headers")),
    signature: Buffer.from(signature, "base64"),
  };
}

export function malformed(reason: string): Problem {
  return new Problem("signature-malformed", { reason });
}

function readParameters(text: string): ReadonlyMap<string, string> {
  const read = new Map<string, string>();
  let at = 0;
  let hasMore = true;
  while (hasMore) {
    parameter.lastIndex = at;
    const match = parameter.exec(text);
    if (match === null) throw malformed('it is not a list of name="value" separated by commas');
    const [whole, name = "", value = "", end] = match;
    if (!known.has(name)) throw malformed(`its parameter ${name} is not known`);
    if (read.has(name)) throw malformed(`its parameter ${name} is there twice`);
    read.set(name, value);
    at += whole.length;
    hasMore = end === ",";
  }
  return read;
}

function required(read: ReadonlyMap<string, string>, name: string): string {
  const value = read.get(name);
  if (value === undefined || value === "") throw malformed(`its parameter ${name} is missing`);
  return value;
}

function readNames(list: string): readonly string[] {
  const names = list.toLowerCase().split(" ");
  if (!names.every((name) => signedName.test(name)))
    throw malformed("its headers are not names with one space between them");
  if (new Set(names).size < names.length) throw malformed("its headers name one twice");
  return names;
}
