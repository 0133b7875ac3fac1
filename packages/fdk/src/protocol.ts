/**
 * The wire format between a platform and a function: Fn's `http-stream` contract, and what Chaya adds to it.
 * The platform is the HTTP client: it sends `POST /call` over the UNIX socket that the function listens on.
 */

/** Environment variables of a function process. The platform sets them over the function's own configuration. */
export const functionEnvironment = {
  format: "FN_FORMAT",
  listener: "FN_LISTENER",
  /** Decimal MiB. */
  memory: "FN_MEMORY",
  /** Always `sync`, for detached calls too. */
  type: "FN_TYPE",
  functionId: "FN_FN_ID",
  functionName: "FN_FN_NAME",
  applicationId: "FN_APP_ID",
  applicationName: "FN_APP_NAME",
  /** Decimal MiB of the temporary directory; absent without a limit. */
  tmpSize: "FN_TMPSIZE",
  /** With both, the FDK prints `\nNAME=<value of the header>\n` to both outputs before each call. */
  logFrameName: "FN_LOGFRAME_NAME",
  logFrameHeader: "FN_LOGFRAME_HDR",
} as const;

/** The only value of FN_FORMAT; compared without regard to case. */
export const callFormat = "http-stream";
/** FN_LISTENER is this and an absolute path. */
export const listenerScheme = "unix:";
/** What the kernel takes as the path of a UNIX socket, without the final NUL. */
export const socketPathBytesMax = 107;
export const socketName = "lsnr.sock";

export const callMethod = "POST";
export const callPath = "/call";

/** Header names of the contract, as they are written; they are compared without regard to case. */
export const callHeader = {
  // to the function
  callId: "Fn-Call-Id",
  /** RFC 3339; when the platform gives the call up. */
  deadline: "Fn-Deadline",
  intent: "Fn-Intent",
  httpMethod: "Fn-Http-Method",
  httpRequestUrl: "Fn-Http-Request-Url",
  /** 1 for the first attempt. */
  attempt: "Chaya-Attempt",
  /** Opaque to the function: which calls led here. Sent along on calls to other functions. */
  chain: "Chaya-Chain",
  // from the function
  httpStatus: "Fn-Http-Status",
  fdkVersion: "Fn-Fdk-Version",
  fdkRuntime: "Fn-Fdk-Runtime",
  // both ways
  contentType: "Content-Type",
  /** In front of every header of the HTTP request and answer behind a trigger, except Content-Type. */
  httpHeaderPrefix: "Fn-Http-H-",
} as const;

/** The value of Fn-Intent when the call carries an HTTP request. */
export const httpIntent = "httprequest";

/** Header of a client that asks for a detached call, and its value. */
export const invokeTypeHeader = "Fn-Invoke-Type";
export const detachedInvokeType = "detached";

/** The statuses a function may answer; any other is a breach of the contract and ends the instance. */
export const answerStatus = { ok: 200, failed: 502, timedOut: 504 } as const;

/** Headers that belong to one connection (RFC 9110 §7.6.1) or to the framing; neither side passes them on. Lower case. */
export const connectionHeaders: readonly string[] = [
  "connection",
  "proxy-connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "content-length",
];
