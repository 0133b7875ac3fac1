import type { ProblemKind } from "../problem-status.ts";

/** What OCI's services say of a problem: the members of their error bodies, with the status. */
export interface OciProblem {
  readonly code: string;
  readonly status: number;
  readonly message: string;
}

interface KindInOci {
  readonly code: string;
  readonly status: number;
  /** Said of every problem of the kind: what exists is not told to those who may not see it. */
  readonly message?: string;
}

const hidden = {
  code: "NotAuthorizedOrNotFound",
  status: 404,
  message: "Authorization failed or requested resource not found.",
} as const;

/**
 * Each kind as OCI answers it. Source: OCI documentation, "API Errors". Never `IncorrectState`: its SDKs wait and repeat
 * what they are told so.
 */
export const ociKinds: Readonly<Record<ProblemKind, KindInOci>> = {
  invalid: { code: "InvalidParameter", status: 400 },
  unauthenticated: {
    code: "NotAuthenticated",
    status: 401,
    message: "The required information to complete authentication was not provided or was incorrect.",
  },
  denied: hidden,
  "not-found": hidden,
  "not-allowed": { code: "MethodNotAllowed", status: 405 },
  stalled: { code: "RequestTimeout", status: 408 },
  conflict: { code: "Conflict", status: 409 },
  gone: { code: "NotFound", status: 404 },
  precondition: { code: "NoEtagMatch", status: 412 },
  "too-large": { code: "PayloadTooLarge", status: 413 },
  "target-too-long": { code: "RequestUriTooLong", status: 414 },
  misdirected: { code: "MisdirectedRequest", status: 421 },
  exhausted: { code: "TooManyRequests", status: 429 },
  "header-too-large": { code: "RequestHeaderFieldsTooLarge", status: 431 },
  internal: { code: "InternalServerError", status: 500 },
  failed: { code: "FunctionInvokeExecutionFailed", status: 502 },
  unavailable: { code: "ServiceUnavailable", status: 503 },
  timeout: { code: "FunctionInvokeTimeout", status: 504 },
};
