import { type None, problem, tooBusy } from "./problem-entry.ts";

const initFailed = () =>
  "Container failed to initialize, please ensure you are using the latest fdk and check the logs";
const initTimedOut = () =>
  "Container initialization timed out, please ensure you are using the latest fdk and check the logs";
const receivingFailed = () => "error receiving function response";

/** What it says of itself, where that may be told. */
export interface StartOutput {
  /** The last lines that the start printed. */
  readonly output?: string | undefined;
}

const printed = ({ output }: StartOutput) => (output === undefined ? "" : ` It printed:\n${output}`);

/** Of calls: first the function's fault, then nobody's or the caller's, then of what is kept of calls. */
export const callProblems = {
  "function-timed-out": problem<{ timeoutMs: number; setBy: string }>({
    kind: "timeout",
    sentence: (f) => `The function did not answer within its timeout of ${f.timeoutMs / 1000} s (set by ${f.setBy}).`,
    hint: () =>
      "Make it faster, or raise 'timeout' in func.yaml (at most 300 s; detached calls: chaya/detached-timeout).",
    fn: () => "Timed out",
    oci: { code: "FunctionInvokeTimeout", sentence: () => "Timed out" },
  }),
  "function-reported-timeout": problem<None>({
    kind: "timeout",
    sentence: () => "The function itself reported that it ran out of time.",
    hint: () => "Its log tells more: chaya logs",
    fn: () => "Timed out",
    oci: { code: "FunctionInvokeTimeout", sentence: () => "Timed out" },
  }),
  "function-failed": problem<None>({
    kind: "failed",
    sentence: () => "The function threw an error.",
    hint: () => "Its log has the stack: chaya calls get CALL_ID --log",
    fn: () => "function failed",
    oci: { code: "FunctionInvokeExecutionFailed", sentence: () => "function failed" },
  }),
  "function-response-invalid": problem<{ reason: string }>({
    kind: "failed",
    sentence: (f) => `The function gave an answer that is not allowed: ${f.reason}.`,
    hint: () => "Answer through an FDK; the contract allows the statuses 200, 502 and 504.",
    fn: () => "invalid function response",
    oci: { code: "FunctionInvokeInvalidResponse", sentence: () => "invalid function response" },
  }),
  "function-crashed": problem<{ how: string }>({
    kind: "failed",
    sentence: (f) => `The function ended before it had answered: ${f.how}.`,
    hint: () => "Its last log lines tell why: chaya calls get CALL_ID --log",
    fn: receivingFailed,
    oci: { code: "FunctionInvokeExecutionError", sentence: receivingFailed },
  }),
  "server-ended": problem<None>({
    kind: "failed",
    sentence: () => "The server ended while it ran the call.",
    hint: () => "What the function had done by then stays done; call again when that is safe.",
    fn: receivingFailed,
    oci: { code: "FunctionInvokeExecutionError", sentence: receivingFailed },
  }),
  "function-out-of-memory": problem<{ memoryMiB: number }>({
    kind: "failed",
    sentence: (f) => `The function used more than its ${f.memoryMiB} MiB of memory and was ended.`,
    hint: () => "Raise 'memory' in func.yaml or use less.",
    fn: receivingFailed,
    oci: { code: "FunctionInvokeExecutionFailed", sentence: () => "function failed" },
  }),
  "function-response-broken": problem<{ reason: string }>({
    kind: "failed",
    sentence: (f) => `The function's answer could not be read: ${f.reason}.`,
    hint: () => "Answer through an FDK, once, and with the length that was announced.",
    fn: receivingFailed,
    oci: { code: "FunctionInvokeExecutionError", sentence: receivingFailed },
  }),
  "function-response-too-large": problem<{ bytesMax: number }>({
    kind: "failed",
    sentence: (f) => `The function's answer is larger than ${f.bytesMax} bytes.`,
    hint: () => "Store large results as objects and answer with their name.",
    fn: () => "function response body too large",
    oci: { code: "FunctionInvokeResponseBodyTooLarge", sentence: () => "function response body too large" },
  }),
  "function-response-header-too-large": problem<{ bytesMax: number }>({
    kind: "failed",
    sentence: (f) => `The headers of the function's answer are larger than ${f.bytesMax} bytes.`,
    hint: () => "Send less in headers.",
    fn: () => "function response header too large",
    oci: { code: "FunctionInvokeResponseHeaderTooLarge", sentence: () => "function response header too large" },
  }),
  "instance-start-failed": problem<{ how: string } & StartOutput>({
    kind: "failed",
    sentence: (f) => `The function could not be started: ${f.how}.${printed(f)}`,
    hint: () => "Its log has the error of the start: chaya logs",
    fn: initFailed,
    oci: { code: "FunctionInvokeContainerInitFail", sentence: initFailed },
  }),
  "instance-start-timed-out": problem<{ startTimeoutMs: number } & StartOutput>({
    kind: "timeout",
    sentence: (f) =>
      `The function did not listen on FN_LISTENER within ${f.startTimeoutMs / 1000} s of its start.${printed(f)}`,
    hint: () => "Does the entry file call the FDK's handle()? Slow imports count towards this limit.",
    fn: initTimedOut,
    oci: { code: "FunctionInvokeContainerInitTimeout", sentence: initTimedOut },
  }),
  "function-crash-looping": problem<{ failures: number; how: string; retryMs: number } & StartOutput>({
    kind: "failed",
    sentence: (f) =>
      `The function failed to start ${f.failures} times in a row (${f.how}); the next start is tried in ${Math.ceil(f.retryMs / 1000)} s.${printed(f)}`,
    hint: () => "Deploy a corrected image: that starts at once.",
    fn: initFailed,
    oci: { code: "FunctionInvokeContainerInitFail", sentence: initFailed },
  }),
  "queue-full": problem<{ waitingMax: number }>({
    kind: "unavailable",
    sentence: (f) => `${f.waitingMax} calls of this function wait already.`,
    hint: () => "Try again later, raise chaya/max-instances, or call detached.",
    fn: tooBusy,
    oci: { code: "FunctionInvokeServiceUnavailable", sentence: tooBusy },
  }),
  "queue-timed-out": problem<{ waitedMs: number; reason: string }>({
    kind: "unavailable",
    sentence: (f) => `No instance became free within ${f.waitedMs / 1000} s: ${f.reason}.`,
    hint: () => "Try again later, raise chaya/max-instances, or call detached.",
    fn: tooBusy,
    oci: { code: "FunctionInvokeServiceUnavailable", sentence: tooBusy },
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
    oci: { code: "NotAllowed", status: 403 },
  }),
  "inspection-unavailable": problem<{ reason: string }>({
    kind: "invalid",
    sentence: (f) => `The function cannot be inspected: ${f.reason}.`,
    hint: () => "Call it without --inspect; to debug it, run the program by itself under a debugger of its language.",
  }),
  "inspections-exhausted": problem<{ inspectionsMax: number }>({
    kind: "exhausted",
    sentence: (f) => `${f.inspectionsMax} calls are being inspected on this node already.`,
    hint: () => "End one of them: an inspected call ends with the command that started it.",
  }),
  "inspection-not-found": problem<{ inspection: string }>({
    kind: "not-found",
    sentence: (f) => `There is no inspection '${f.inspection}', or its call has ended.`,
    hint: () => "Start another with: chaya invoke APP FN --inspect",
  }),
  "inspection-used": problem<None>({
    kind: "conflict",
    sentence: () => "This inspection has had its call.",
    hint: () => "An inspection is for one call; start another.",
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
    oci: { code: "FunctionInvokeTimeout", sentence: () => "Timed out" },
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
  "call-not-found": problem<{ call: string }>({
    kind: "not-found",
    sentence: (f) => `There is no record of a call '${f.call}'.`,
    hint: () => "Records have an age limit; list the newest with: chaya calls list",
  }),
  "log-readers-exhausted": problem<{ readersMax: number }>({
    kind: "exhausted",
    sentence: (f) => `${f.readersMax} clients follow logs already.`,
    hint: () => "End one of them, or read without follow.",
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
} as const;
