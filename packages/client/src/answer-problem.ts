import {
  type Dialect,
  kindOfStatus,
  Problem,
  type ProblemCode,
  type ProblemKind,
  problemStatus,
  problems,
} from "@chaya/contract";

/** A problem as a server told it: a `Problem` of the catalogue in the server's own words, with where it came from. */
export class AnsweredProblem extends Problem<ProblemCode> {
  override readonly hint: string;
  readonly callId: string | undefined;
  readonly requestId: string | undefined;

  constructor(code: ProblemCode, fields: Readonly<Record<string, unknown>>, words: ProblemWords) {
    // The server filled in the fields of the code it names; the catalogue's types cannot follow that over the wire.
    super(code, fields as never, words.retryAfterMs === undefined ? {} : { retryAfterMs: words.retryAfterMs });
    this.message = words.sentence;
    this.hint = words.hint ?? problemHint(code, fields);
    this.callId = words.callId;
    this.requestId = words.requestId;
  }
}

interface ProblemWords {
  readonly sentence: string;
  readonly hint: string | undefined;
  readonly callId: string | undefined;
  readonly requestId: string | undefined;
  readonly retryAfterMs: number | undefined;
}

/** An answer that says no in words that no problem of the catalogue has: another server, a proxy, a newer version. */
export class UnexpectedAnswer extends Error {
  override readonly name = "UnexpectedAnswer";
  readonly status: number;
  readonly kind: ProblemKind;
  readonly callId: string | undefined;

  constructor(status: number, sentence: string, callId: string | undefined) {
    super(sentence);
    this.status = status;
    this.kind = kindOfStatus(status);
    this.callId = callId;
  }
}

/** No answer at all: nobody listens, the name is not known, or the connection broke. */
export class ServerUnreachable extends Error {
  override readonly name = "ServerUnreachable";
  readonly url: string;

  constructor(url: string, options: { readonly cause: unknown }) {
    super(`The server at ${url} does not answer: ${causeText(options.cause)}`, options);
    this.url = url;
  }
}

/** Reads the body of an answer that says no. */
export async function answerProblem(response: Response, dialect: Dialect): Promise<AnsweredProblem | UnexpectedAnswer> {
  const text = await response.text();
  const answer = jsonObject(text);
  const callId = stringOf(answer?.callId) ?? response.headers.get("fn-call-id") ?? undefined;
  const sentence = stringOf(answer?.detail) ?? stringOf(answer?.message);
  const code = answer === undefined ? undefined : problemCode(answer, { status: response.status, dialect });
  if (sentence === undefined || code === undefined) {
    return new UnexpectedAnswer(response.status, sentence ?? statusSentence(response, text), callId);
  }
  return new AnsweredProblem(
    code,
    { ...answer },
    {
      sentence,
      hint: stringOf(answer?.hint),
      callId,
      requestId: stringOf(answer?.requestId) ?? response.headers.get("chaya-request-id") ?? undefined,
      retryAfterMs: retryAfterMs(response),
    },
  );
}

type JsonObject = Readonly<Record<string, unknown>>;

function jsonObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    // An object that is neither null nor an array has string keys: that is all this type says.
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}

function stringOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function isProblemCode(code: unknown): code is ProblemCode {
  return typeof code === "string" && Object.hasOwn(problems, code);
}

/** The code the answer names; in Fn's dialect, which has none, the one problem that Fn words like this. */
function problemCode(answer: JsonObject, where: { status: number; dialect: Dialect }): ProblemCode | undefined {
  if (isProblemCode(answer.code)) return answer.code;
  if (where.dialect !== "fn" || typeof answer.message !== "string") return undefined;
  const codes = Object.keys(problems).filter(isProblemCode);
  const matching = codes.filter(
    (code) => problemStatus[problems[code].kind] === where.status && fnMessage(code) === answer.message,
  );
  if (matching.length === 1) return matching[0];
  return where.status === 400 ? "fn-record-invalid" : undefined;
}

/** Fn's words for a problem, where they do not depend on its fields. */
function fnMessage(code: ProblemCode): string | undefined {
  // Each entry takes the fields of its own code; those whose words depend on them simply do not match.
  const entry = problems[code] as (typeof problems)["internal"];
  return entry.fn?.({ requestId: "" });
}

function problemHint(code: ProblemCode, fields: JsonObject): string {
  const entry = problems[code] as (typeof problems)["internal"];
  return entry.hint(fields as { requestId: string });
}

function statusSentence(response: Response, text: string): string {
  const shown = text.trim().slice(0, 200);
  const status = `${response.status} ${response.statusText}`.trim();
  return shown === "" ? `The server answered ${status}` : `The server answered ${status}: ${shown}`;
}

/** Retry-After in seconds; the form with a date is not used by any of our servers (RFC 9110 §10.2.3). */
function retryAfterMs(response: Response): number | undefined {
  const seconds = response.headers.get("retry-after");
  return seconds !== null && /^\d{1,9}$/.test(seconds) ? Number(seconds) * 1000 : undefined;
}

/** Fetch says "fetch failed" and hides why in the causes. */
function causeText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause !== undefined) return causeText(error.cause);
  if (error instanceof AggregateError && error.errors.length > 0) return causeText(error.errors[0]);
  return error.message;
}
