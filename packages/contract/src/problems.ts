import type { ProblemKind } from "./problem-status.ts";

interface ProblemEntry<Fields> {
  readonly kind: ProblemKind;
  /** One sentence: what is wrong. */
  readonly sentence: (fields: Fields) => string;
  /** What the reader can do about it. */
  readonly hint: (fields: Fields) => string;
  /** The message Fn gives for the same thing, where Fn has one (its clients compare the text). */
  readonly fn?: (fields: Fields) => string;
}

function problem<Fields = Record<never, never>>(entry: ProblemEntry<Fields>): ProblemEntry<Fields> {
  return entry;
}

type None = Record<never, never>;
const tooBusy = () => "Timed out - server too busy";
const initFailed = () =>
  "Container failed to initialize, please ensure you are using the latest fdk and check the logs";

/** The one catalogue of problems: code → kind, sentence, hint. Fields are typed by the code. */
export const problems = {
  // ---- HTTP
  "path-not-found": problem<{ method: string; path: string }>({
    kind: "not-found",
    sentence: (f) => `There is nothing at ${f.method} ${f.path}.`,
    hint: () => "See /openapi.json for every path this server answers.",
    fn: (f) => `Path not found: ${f.method} ${f.path}`,
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
  "host-unknown": problem<{ host: string }>({
    kind: "misdirected",
    sentence: (f) => `This server does not answer for the host '${f.host}'.`,
    hint: () => "Use the public URL, a loopback name, or add the host with --allow-host.",
  }),
  "origin-refused": problem<{ origin: string }>({
    kind: "denied",
    sentence: (f) => `A page from '${f.origin}' may not use the control API.`,
    hint: () => "Only pages of the public URL may; tools that send no Origin header pass.",
  }),
  "peer-refused": problem<None>({
    kind: "denied",
    sentence: () => "Without authentication only the user who started the server may use the control API.",
    hint: () => "Run the command as that user.",
  }),
  "credentials-invalid": problem<None>({
    kind: "unauthenticated",
    sentence: () => "The credentials that were presented are not known here.",
    hint: () => "This server runs with --auth none: send no Authorization header.",
  }),
  "body-not-json": problem<{ reason: string }>({
    kind: "invalid",
    sentence: (f) => `The request body is not acceptable JSON: ${f.reason}.`,
    hint: () => "Send one JSON object, at most 64 levels deep, without lone surrogates or prototype keys.",
    fn: () => "Invalid JSON",
  }),
  "request-invalid": problem<{ where: string; reason: string }>({
    kind: "invalid",
    sentence: (f) => `${f.where}: ${f.reason}.`,
    hint: () => "See /openapi.json for what this route takes.",
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
  // ---- records of the Fn API
  "fn-record-invalid": problem<{ message: string }>({
    kind: "invalid",
    sentence: (f) => f.message,
    hint: () => "Correct the field named and send it again.",
    fn: (f) => f.message,
  }),
  "application-not-found": problem<{ application: string }>({
    kind: "not-found",
    sentence: (f) => `There is no application '${f.application}'.`,
    hint: () => "List them with: chaya apps list",
    fn: () => "App not found",
  }),
  "application-exists": problem<{ application: string }>({
    kind: "conflict",
    sentence: (f) => `An application named '${f.application}' exists already.`,
    hint: () => "Choose another name or update the existing one.",
    fn: () => "App already exists",
  }),
  "name-immutable": problem<None>({
    kind: "conflict",
    sentence: () => "A name cannot be changed.",
    hint: () => "Create a new one under the other name and delete this one.",
    fn: () => "Could not update - name is immutable",
  }),
  "function-not-found": problem<{ function: string }>({
    kind: "not-found",
    sentence: (f) => `There is no function '${f.function}'.`,
    hint: () => "List them with: chaya functions list APP",
    fn: () => "Fn not found",
  }),
  "function-exists": problem<{ function: string }>({
    kind: "conflict",
    sentence: (f) => `A function named '${f.function}' exists already in this application.`,
    hint: () => "Choose another name or update the existing one.",
    fn: () => "Fn with specified name already exists",
  }),
  "trigger-not-found": problem<{ trigger: string }>({
    kind: "not-found",
    sentence: (f) => `There is no trigger '${f.trigger}'.`,
    hint: () => "List them with: chaya triggers list APP",
    fn: () => "Trigger not found",
  }),
  "trigger-exists": problem<{ trigger: string }>({
    kind: "conflict",
    sentence: (f) => `A trigger named '${f.trigger}' exists already on this function.`,
    hint: () => "Choose another name or update the existing one.",
    fn: () => "Trigger already exists",
  }),
  "trigger-source-exists": problem<{ source: string }>({
    kind: "conflict",
    sentence: (f) => `Another trigger of this application has the source '${f.source}' already.`,
    hint: () => "Choose another source.",
    fn: () => "Trigger with the same type and source exists on this app",
  }),
  "record-changed": problem<None>({
    kind: "conflict",
    sentence: () => "Somebody else changed this at the same moment.",
    hint: () => "Read it again and repeat the change.",
  }),
  // ---- images and bundles
  "bundle-invalid": problem<{ reason: string }>({
    kind: "invalid",
    sentence: (f) => `The code bundle is not acceptable: ${f.reason}.`,
    hint: () => "A bundle is a gzipped tar of plain files and folders; make one with: chaya deploy",
  }),
  "bundle-too-large": problem<{ what: string; max: number }>({
    kind: "too-large",
    sentence: (f) => `The code bundle is too large: ${f.what} may be at most ${f.max}.`,
    hint: () => "Leave out what the function does not need (.chayaignore, or bundle: true).",
  }),
  "image-not-found": problem<{ image: string }>({
    kind: "not-found",
    sentence: (f) => `'${f.image}' is not among the last images of this function.`,
    hint: () => "List them with: chaya images APP FN",
  }),
  "image-unavailable": problem<{ image: string; reason: string }>({
    kind: "failed",
    sentence: (f) => `Failed to pull image '${f.image}': ${f.reason}`,
    hint: () => "Deploy the code with: chaya deploy --app APP",
    fn: (f) => `Failed to pull image '${f.image}': ${f.reason}`,
  }),
  "image-damaged": problem<{ image: string; reason: string }>({
    kind: "failed",
    sentence: (f) => `The stored code of '${f.image}' is damaged: ${f.reason}`,
    hint: () => "Deploy again; the damaged copy is never run.",
    fn: (f) => `Failed to pull image '${f.image}': ${f.reason}`,
  }),
  // ---- calls: the function's fault
  "function-timed-out": problem<{ timeoutMs: number; setBy: string }>({
    kind: "timeout",
    sentence: (f) => `The function did not answer within its timeout of ${f.timeoutMs / 1000} s (set by ${f.setBy}).`,
    hint: () =>
      "Make it faster, or raise 'timeout' in func.yaml (at most 300 s; detached calls: chaya/detached-timeout).",
    fn: () => "Timed out",
  }),
  "function-reported-timeout": problem<None>({
    kind: "timeout",
    sentence: () => "The function itself reported that it ran out of time.",
    hint: () => "Its log tells more: chaya logs",
    fn: () => "Timed out",
  }),
  "function-failed": problem<None>({
    kind: "failed",
    sentence: () => "The function threw an error.",
    hint: () => "Its log has the stack: chaya calls get CALL_ID --log",
    fn: () => "function failed",
  }),
  "function-response-invalid": problem<{ reason: string }>({
    kind: "failed",
    sentence: (f) => `The function gave an answer that is not allowed: ${f.reason}.`,
    hint: () => "Answer through an FDK; the contract allows the statuses 200, 502 and 504.",
    fn: () => "invalid function response",
  }),
  "function-crashed": problem<{ how: string }>({
    kind: "failed",
    sentence: (f) => `The function ended before it had answered: ${f.how}.`,
    hint: () => "Its last log lines tell why: chaya calls get CALL_ID --log",
    fn: () => "error receiving function response",
  }),
  "function-out-of-memory": problem<{ memoryMiB: number }>({
    kind: "failed",
    sentence: (f) => `The function used more than its ${f.memoryMiB} MiB of memory and was ended.`,
    hint: () => "Raise 'memory' in func.yaml or use less.",
    fn: () => "error receiving function response",
  }),
  "function-response-broken": problem<{ reason: string }>({
    kind: "failed",
    sentence: (f) => `The function's answer could not be read: ${f.reason}.`,
    hint: () => "Answer through an FDK, once, and with the length that was announced.",
    fn: () => "error receiving function response",
  }),
  "function-response-too-large": problem<{ bytesMax: number }>({
    kind: "failed",
    sentence: (f) => `The function's answer is larger than ${f.bytesMax} bytes.`,
    hint: () => "Store large results as objects and answer with their name.",
    fn: () => "function response body too large",
  }),
  "function-response-header-too-large": problem<{ bytesMax: number }>({
    kind: "failed",
    sentence: (f) => `The headers of the function's answer are larger than ${f.bytesMax} bytes.`,
    hint: () => "Send less in headers.",
    fn: () => "function response header too large",
  }),
  "instance-start-failed": problem<{ how: string }>({
    kind: "failed",
    sentence: (f) => `The function could not be started: ${f.how}.`,
    hint: () => "Its log has the error of the start: chaya logs",
    fn: initFailed,
  }),
  "instance-start-timed-out": problem<{ startTimeoutMs: number }>({
    kind: "timeout",
    sentence: (f) => `The function did not listen on FN_LISTENER within ${f.startTimeoutMs / 1000} s of its start.`,
    hint: () => "Does the entry file call the FDK's handle()? Slow imports count towards this limit.",
    fn: () => "Container initialization timed out, please ensure you are using the latest fdk and check the logs",
  }),
  "function-crash-looping": problem<{ failures: number; how: string; retryMs: number }>({
    kind: "failed",
    sentence: (f) =>
      `The function failed to start ${f.failures} times in a row (${f.how}); the next start is tried in ${Math.ceil(f.retryMs / 1000)} s.`,
    hint: () => "Deploy a corrected image: that starts at once.",
    fn: initFailed,
  }),
  // ---- calls: nobody's or the caller's fault
  "queue-full": problem<{ waitingMax: number }>({
    kind: "unavailable",
    sentence: (f) => `${f.waitingMax} calls of this function wait already.`,
    hint: () => "Try again later, raise chaya/max-instances, or call detached.",
    fn: tooBusy,
  }),
  "queue-timed-out": problem<{ waitedMs: number; reason: string }>({
    kind: "unavailable",
    sentence: (f) => `No instance became free within ${f.waitedMs / 1000} s: ${f.reason}.`,
    hint: () => "Try again later, raise chaya/max-instances, or call detached.",
    fn: tooBusy,
  }),
  "memory-too-large": problem<{ memoryMiB: number; memoryMiBMax: number }>({
    kind: "invalid",
    sentence: (f) =>
      `The function wants ${f.memoryMiB} MiB of memory; this node has ${f.memoryMiBMax} MiB for functions.`,
    hint: () => "Lower 'memory' in func.yaml.",
    fn: () => "Requested CPU/Memory cannot be allocated",
  }),
  "call-chain-too-deep": problem<{ depthMax: number }>({
    kind: "exhausted",
    sentence: (f) => `This call is the end of a chain of ${f.depthMax} functions that call each other.`,
    hint: () => "Functions that call each other in a circle never end; break the circle.",
  }),
  "invoke-refused": problem<None>({
    kind: "denied",
    sentence: () => "This function answers only through its gateway (annotation chaya/invoke).",
    hint: () => "Call the gateway route, or set chaya/invoke: any.",
  }),
  "client-gone": problem<None>({
    kind: "invalid",
    sentence: () => "The caller went away before the answer was complete.",
    hint: () => "Nothing to do here; look at the caller's own timeout.",
  }),
  "deadline-passed": problem<{ ageMsMax: number }>({
    kind: "timeout",
    sentence: (f) => `The call waited longer than ${f.ageMsMax / 1000} s and was given up.`,
    hint: () => "Redrive it from the dead letters once there is capacity.",
    fn: () => "Timed out",
  }),
  "idempotency-key-invalid": problem<None>({
    kind: "invalid",
    sentence: () => "Idempotency-Key must be 1 to 255 visible ASCII characters.",
    hint: () => "Use a UUID.",
    fn: () => "Invalid Idempotency-Key",
  }),
  "idempotency-key-reused": problem<None>({
    kind: "conflict",
    sentence: () => "This Idempotency-Key was used within 24 h for another request body.",
    hint: () => "Use a new key for a new request.",
    fn: () => "Idempotency-Key was used for another request",
  }),
  // ---- calls, logs, dead letters
  "call-not-found": problem<{ call: string }>({
    kind: "not-found",
    sentence: (f) => `There is no record of a call '${f.call}'.`,
    hint: () => "Records have an age limit; list the newest with: chaya calls list",
  }),
  "captured-input-not-found": problem<{ call: string }>({
    kind: "not-found",
    sentence: (f) => `The input of call '${f.call}' was not captured.`,
    hint: () => "Set the annotation chaya/capture to failures or all.",
  }),
  "dead-letter-not-found": problem<{ call: string }>({
    kind: "not-found",
    sentence: (f) => `There is no dead letter '${f.call}'.`,
    hint: () => "List them with: chaya calls dead",
  }),
  // ---- secrets
  "secret-not-found": problem<{ secret: string }>({
    kind: "not-found",
    sentence: (f) => `There is no secret '${f.secret}' here.`,
    hint: () => "List them with: chaya secrets list APP",
  }),
  // ---- storage
  "store-unavailable": problem<{ reason: string }>({
    kind: "unavailable",
    sentence: (f) => `The store does not answer: ${f.reason}.`,
    hint: () => "Nothing was acknowledged; try again. 'chaya doctor' looks at the store.",
    fn: () => "internal server error",
  }),
  "storage-full": problem<{ freeBytes: number }>({
    kind: "unavailable",
    sentence: (f) => `The disk has only ${f.freeBytes} bytes left: writes are refused, reads go on.`,
    hint: () => "Free some space; writes resume by themselves.",
    fn: () => "internal server error",
  }),
  "payload-not-found": problem<{ payload: string }>({
    kind: "internal",
    sentence: (f) => `The payload '${f.payload}' is missing.`,
    hint: () => "The data directory is damaged; restore it.",
  }),
  "payload-damaged": problem<{ payload: string }>({
    kind: "internal",
    sentence: (f) => `The payload '${f.payload}' does not match its digest.`,
    hint: () => "The disk returned other bytes than were written; restore the payload.",
  }),
} as const;

export type ProblemCode = keyof typeof problems;
export type ProblemFields<Code extends ProblemCode> = Parameters<(typeof problems)[Code]["sentence"]>[0];
