import type { Readable } from "node:stream";
import type { CallView } from "@chaya/contract/chaya";
import type { Place } from "./http/authorize.ts";

/** The doors between services. A new one needs a decision in docs/decisions. */

/** Owner: functions. Users: gateway, events, schedules, flows …: accepts a call that runs later; durable when it resolves. */
export type InvokeDetached = (request: DetachedRequest) => Promise<DetachedAccepted>;

export interface DetachedRequest {
  readonly functionId: string;
  readonly contentType: string | undefined;
  /** Headers for the function beside the contract's own. */
  readonly headers: readonly string[];
  readonly body: Readable | Uint8Array;
  readonly source: CallView["source"];
  readonly causeId: string | undefined;
  readonly traceId: string | undefined;
  readonly chainDepth: number;
  readonly idempotencyKey: string | undefined;
}

export interface DetachedAccepted {
  readonly callId: string;
  /** true when the key had been used: the id is that of the first call. */
  readonly isRepeat: boolean;
}

/** Owner: telemetry. Users: functions …: a call finished (or changed its status). Hot path: never throws, never waits. */
export type ObserveCall = (call: ObservedCall) => void;

export interface ObservedCall {
  readonly id: string;
  readonly applicationId: string;
  readonly applicationName: string;
  readonly functionId: string;
  readonly functionName: string;
  readonly image: string;
  readonly source: CallView["source"];
  readonly status: CallView["status"];
  readonly attempt: number;
  readonly httpStatus: number | undefined;
  readonly acceptedAtMs: number;
  readonly startedAtMs: number | undefined;
  readonly finishedAtMs: number | undefined;
  readonly waitUs: number;
  readonly runUs: number;
  readonly isColdStart: boolean;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly memoryMiB: number;
  readonly problem: CallProblem | undefined;
  readonly causeId: string | undefined;
  readonly traceId: string | undefined;
}

export interface CallProblem {
  readonly code: string;
  readonly sentence: string;
  readonly hint: string;
}

/** Owner: telemetry. Users: functions: a line a function printed, or the platform says about a call. Never throws. */
export type ObserveLine = (line: ObservedLine) => void;

export interface ObservedLine {
  readonly atMs: number;
  readonly applicationId: string;
  readonly applicationName: string;
  readonly functionId: string;
  readonly functionName: string;
  readonly callId: string | undefined;
  readonly stream: "stdout" | "stderr" | "platform";
  readonly bytes: Uint8Array;
  readonly isCut: boolean;
}

/** Owner: telemetry. Users: functions: keeps the input of a call for inspection. Never throws, never waits. */
export type CaptureInput = (input: CapturedInput) => void;

export interface CapturedInput {
  readonly callId: string;
  readonly functionId: string;
  readonly contentType: string;
  readonly bytes: Uint8Array;
}

/** Owner: telemetry. Users: functions: live figures that /metrics shows beside the counters. */
export interface FunctionGauges {
  readonly applicationName: string;
  readonly functionName: string;
  readonly idle: number;
  readonly busy: number;
  readonly starting: number;
  readonly waiting: number;
}
export type ReadGauges = () => readonly FunctionGauges[];

/** Owner: secrets. Users: functions: the secrets an instance gets, the function's own over the application's. */
export type ReadSecrets = (applicationId: string, functionId: string) => Promise<Readonly<Record<string, string>>>;

/** Owner: secrets. Users: telemetry, functions: replaces every secret value of the application with `[secret]`. */
export type RedactSecrets = (applicationId: string, bytes: Uint8Array) => Uint8Array;

/** Owner: functions. Users: telemetry, secrets, access: names and ids of applications and functions, from memory. */
export interface ResolveFunctions {
  /** By id, or by name. */
  application(
    idOrName: string,
  ): { readonly id: string; readonly name: string; readonly compartmentId: string } | undefined;
  /** By id, or by name within an application. */
  function(
    idOrName: string,
    applicationId: string | undefined,
  ): { readonly id: string; readonly name: string; readonly applicationId: string; readonly image: string } | undefined;
}

/**
 * Owner: functions. Users: telemetry, secrets, functions: where something lies, for access policies; from memory. What
 * does not exist lies in the root compartment.
 */
export interface Places {
  readonly root: Place;
  /** By id or name. */
  application(idOrName: string): Place;
  /** By id, or by name within an application. */
  function(idOrName: string, applicationIdOrName?: string): Place;
  trigger(id: string): Place;
  /** What a list is about that may be narrowed to an application and a function. */
  filter(query: { readonly app?: string | undefined; readonly fn?: string | undefined }): Place | "anywhere";
}

/** Owner: access. Users: functions, later all that lies in compartments: whether there is one of this id, from memory. */
export type HasCompartment = (id: string) => boolean;

/** Owner: functions. Users: work, later events and schedules: how many calls of this function could start now. */
export type Admit = (functionId: string) => number;

/**
 * Owner: access. Users: functions: the resource principal of a function, as files of OCI_RESOURCE_PRINCIPAL_*. The same
 * key pair as long as the function lives; the token is fresh for at least `freshMs`.
 */
export type IssueCredential = (subject: CredentialSubject) => Promise<ResourcePrincipal>;

export interface CredentialSubject {
  readonly functionId: string;
  readonly compartmentId: string;
}

export interface ResourcePrincipal {
  /** A JWT: OCI_RESOURCE_PRINCIPAL_RPST. */
  readonly token: string;
  /** PEM: OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM. */
  readonly privateKey: string;
  /** When the token should be replaced, long before it expires. */
  readonly refreshAtMs: number;
}

/** Owner: secrets. Users: access: bytes that rest in the store, readable with the installation's key only. */
export interface SealedBytes {
  /** `purpose` and `name` are part of what is sealed: opened under others, it does not open. */
  seal(place: { readonly purpose: string; readonly name: string }, bytes: Uint8Array): Promise<Uint8Array>;
  /** Throws `secrets-key-unfit`, `secrets-key-differs`, `secret-unreadable`. */
  open(place: { readonly purpose: string; readonly name: string }, sealed: Uint8Array): Promise<Uint8Array>;
}
