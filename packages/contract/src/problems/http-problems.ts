import { type None, problem, tooBusy } from "./problem-entry.ts";

/** Of requests, before any service sees them. */
export const httpProblems = {
  "path-not-found": problem<{ method: string; path: string }>({
    kind: "not-found",
    sentence: (f) => `There is nothing at ${f.method} ${f.path}.`,
    hint: () => "See /openapi.json for every path this server answers.",
    fn: (f) => `Path not found: ${f.method} ${f.path}`,
    oci: { code: "NotFound" },
  }),
  "door-path-not-found": problem<{ method: string; path: string; served: string }>({
    kind: "not-found",
    sentence: (f) => `There is nothing at ${f.method} ${f.path} of the function door.`,
    hint: (f) => `It serves ${f.served}, and nothing else.`,
    oci: { code: "NotFound" },
  }),
  "method-not-allowed": problem<{ method: string; path: string }>({
    kind: "not-allowed",
    sentence: (f) => `${f.path} does not take ${f.method}.`,
    hint: () => "See /openapi.json for the methods of each path.",
    fn: (f) => `Method not allowed: ${f.method} ${f.path}`,
  }),
  "route-gone": problem<None>({
    kind: "gone",
    sentence: () => "Fn removed this route; call records live at /chaya/v1/calls.",
    hint: () => "Use: chaya calls list, or GET /chaya/v1/calls.",
  }),
  "request-malformed": problem<{ reason: string }>({
    kind: "invalid",
    sentence: (f) => `The request is not well-formed HTTP: ${f.reason}.`,
    hint: () => "The connection is closed; send the request again as RFC 9112 describes it.",
    oci: { code: "CannotParseRequest" },
  }),
  "request-target-too-long": problem<{ bytesMax: number }>({
    kind: "target-too-long",
    sentence: (f) => `The path and query are longer than ${f.bytesMax} bytes.`,
    hint: () => "Send what is long in the body.",
  }),
  "request-header-too-large": problem<{ bytesMax: number; countMax: number }>({
    kind: "header-too-large",
    sentence: (f) => `The request has more than ${f.countMax} headers, or more than ${f.bytesMax} bytes of them.`,
    hint: () => "Send fewer or smaller headers.",
  }),
  "request-stalled": problem<{ timeoutMs: number }>({
    kind: "stalled",
    sentence: (f) => `The request did not arrive in time: the connection stood still for ${f.timeoutMs / 1000} s.`,
    hint: () => "Send the whole request without long pauses.",
  }),
  "host-unknown": problem<{ host: string }>({
    kind: "misdirected",
    sentence: (f) => `This server does not answer for the host '${f.host}'.`,
    hint: () => "Use the public URL, a loopback name, or add the host with --allow-host.",
  }),
  "origin-refused": problem<{ origin: string }>({
    kind: "denied",
    sentence: (f) => `A page from '${f.origin}' may not use the control API.`,
    hint: () => "Only pages of the public URL may; tools that send no Origin header pass.",
    oci: { code: "NotAllowed", status: 403 },
  }),
  "peer-refused": problem<None>({
    kind: "denied",
    sentence: () => "Without authentication only the user who started the server may use the control API.",
    hint: () => "Run the command as that user.",
    oci: { code: "NotAuthenticated", status: 401 },
  }),
  "not-authorized": problem<None>({
    kind: "not-found",
    sentence: () => "It does not exist here, or you may not do this with it.",
    hint: () => "Check the id; an administrator can grant the right with an access policy.",
    fn: () => "Not found or not authorized",
  }),
  "body-not-json": problem<{ reason: string }>({
    kind: "invalid",
    sentence: (f) => `The request body is not acceptable JSON: ${f.reason}.`,
    hint: () => "Send one JSON object, at most 64 levels deep, without lone surrogates or prototype keys.",
    fn: () => "Invalid JSON",
    oci: { code: "CannotParseRequest" },
  }),
  "request-invalid": problem<{ where: string; reason: string }>({
    kind: "invalid",
    sentence: (f) => `${f.where}: ${f.reason}.`,
    hint: () => "See /openapi.json for what this route takes.",
  }),
  "parameter-missing": problem<{ where: string }>({
    kind: "invalid",
    sentence: (f) => `${f.where} is missing.`,
    hint: () => "See /openapi.json for what this route needs.",
    oci: { code: "MissingParameter" },
  }),
  "etag-mismatch": problem<None>({
    kind: "precondition",
    sentence: () => "It was changed since it was read: its etag is not the one in If-Match.",
    hint: () => "Read it again and repeat the change with its new etag.",
  }),
  "body-too-large": problem<{ bytesMax: number }>({
    kind: "too-large",
    sentence: (f) => `The request body is larger than ${f.bytesMax} bytes.`,
    hint: () => "Send less, or send it as an object and pass its name.",
    fn: () => "Request content too large",
  }),
  "cursor-invalid": problem<None>({
    kind: "invalid",
    sentence: () => "The cursor is not one that this server gave out.",
    hint: () => "Pass next_cursor of the previous page unchanged, or leave it out to start again.",
    fn: () => "Invalid cursor",
  }),
  "server-draining": problem<None>({
    kind: "unavailable",
    sentence: () => "The server is stopping and takes no more work.",
    hint: () => "Try again in a few seconds.",
    fn: tooBusy,
  }),
  internal: problem<{ requestId: string }>({
    kind: "internal",
    sentence: (f) => `Something went wrong in the platform (request ${f.requestId}).`,
    hint: () => "The server's log has the whole story under this request id.",
    fn: () => "internal server error",
  }),
} as const;
