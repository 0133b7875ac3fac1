import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { ocidOf } from "@chaya/contract/oci";
import type { User } from "../access/model.ts";
import type { MemoryAccessDirectory } from "./memory-access-directory.ts";

/** Who signs, and with what. */
export interface SigningKey {
  readonly keyId: string;
  readonly privateKey: KeyObject;
}

/** A request before it is signed; every part is sent as it stands here. */
export interface UnsignedRequest {
  readonly method: string;
  readonly target: string;
  readonly host: string;
  readonly atMs: number;
  readonly body?: string | Uint8Array | undefined;
  /** Further headers, not signed. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
}

/** A signed request that a test may still alter: what is sent is what stands here. */
export interface SignableRequest {
  method: string;
  target: string;
  headers: (readonly [name: string, value: string])[];
  body: Buffer;
}

export interface SigningOptions {
  /** What goes into the list, in this order; what OCI demands when absent. */
  readonly names?: readonly string[];
  /** Signed in place of what is sent. */
  readonly signedTarget?: string;
  readonly signedMethod?: string;
  readonly algorithm?: string;
  readonly version?: string;
  /** By names in lower case: signed and sent in place of what is right. */
  readonly replaced?: ReadonlyMap<string, string | undefined>;
}

const bodyMethods: ReadonlySet<string> = new Set(["POST", "PUT", "PATCH"]);

/** Signs as the SDK for Go does, byte by byte: no library decides what goes over the wire. */
export function signedRequest(key: SigningKey, plain: UnsignedRequest, options: SigningOptions = {}): SignableRequest {
  const body = Buffer.from(plain.body ?? "");
  const hasBody = bodyMethods.has(plain.method);
  const usualHeaders: readonly (readonly [string, string])[] = [
    ["Host", plain.host],
    ["Date", new Date(plain.atMs).toUTCString()],
    ...(hasBody ? bodyHeaders(body) : []),
    ...(plain.headers ?? []),
  ];
  const headers = usualHeaders.map(
    ([name, value]) => [name, options.replaced?.get(name.toLowerCase()) ?? value] as const,
  );
  const always = ["date", "(request-target)", "host"];
  const names = options.names ?? [
    ...always,
    ...(hasBody ? ["content-length", "content-type", "x-content-sha256"] : []),
  ];
  const target = options.signedTarget ?? plain.target;
  const text = names
    .map((name) => lineOf(name, { headers, method: options.signedMethod ?? plain.method, target }))
    .join("\n");
  const signature = sign("sha256", Buffer.from(text, "utf8"), key.privateKey).toString("base64");
  const { version = "1", algorithm = "rsa-sha256" } = options;
  const list = `headers="${names.join(" ")}",keyId="${key.keyId}"`;
  headers.push([
    "Authorization",
    `Signature version="${version}",${list},algorithm="${algorithm}",signature="${signature}"`,
  ]);
  return { method: plain.method, target: plain.target, headers, body };
}

/** What goes over the wire, in Latin 1. */
export function wireText({ method, target, headers, body }: SignableRequest): string {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return `${method} ${target} HTTP/1.1\r\n${lines}\r\n${body.toString("latin1")}`;
}

/** The request with one header said otherwise, or left out. */
export function withHeader(request: SignableRequest, name: string, value: string | undefined): SignableRequest {
  const others = request.headers.filter(([known]) => known.toLowerCase() !== name.toLowerCase());
  return { ...request, headers: value === undefined ? others : [...others, [name, value]] };
}

export function headerOf(request: SignableRequest, name: string): string {
  return request.headers.find(([known]) => known.toLowerCase() === name.toLowerCase())?.[1] ?? "";
}

/** A user with an API key. */
export function addSigner(directory: MemoryAccessDirectory, name: string): SigningKey & { readonly user: User } {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const user = directory.addUser(name);
  const { fingerprint } = directory.addApiKey(user.id, publicKey);
  return { user, privateKey, keyId: keyIdOf(directory.rootId, user.id, fingerprint) };
}

export function keyIdOf(rootId: string, userId: string, fingerprint: string): string {
  return `${ocidOf("tenancy", rootId, "")}/${ocidOf("user", userId, "")}/${fingerprint}`;
}

export function sha256Base64(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("base64");
}

function bodyHeaders(body: Buffer): (readonly [string, string])[] {
  return [
    ["Content-Length", String(body.length)],
    ["Content-Type", "application/json"],
    ["X-Content-Sha256", sha256Base64(body)],
  ];
}

function lineOf(
  name: string,
  { headers, method, target }: Pick<SignableRequest, "headers" | "method" | "target">,
): string {
  if (name.toLowerCase() === "(request-target)") return `(request-target): ${method.toLowerCase()} ${target}`;
  const value = headers.find(([known]) => known.toLowerCase() === name.toLowerCase())?.[1];
  if (value === undefined) throw new Error(`the test signs ${name}, which it does not send`);
  return `${name.toLowerCase()}: ${value}`;
}
