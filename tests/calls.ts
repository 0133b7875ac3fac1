// Calls of functions and what is recorded of them, over HTTP.
import type { CallView, LogLineView } from "@chaya/contract/chaya";

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export interface CallOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** Sends a body, an object as JSON, and reads the whole answer. */
export async function send(url: string, body: unknown, options: CallOptions = {}): Promise<Answer> {
  const { method = "POST", headers = {}, signal = null } = options;
  const init: RequestInit = { method, headers, signal, redirect: "manual" };
  if (body instanceof Uint8Array) init.body = Uint8Array.from(body);
  else if (body !== undefined) init.body = typeof body === "string" ? body : JSON.stringify(body);
  const answer = await fetch(url, init);
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
}

/** Calls a function detached; gives the call id, or "" when it was not accepted. */
export async function sendDetached(url: string, fnId: string, body: unknown, key?: string): Promise<string> {
  const headers = { "Fn-Invoke-Type": "detached", ...(key === undefined ? {} : { "Idempotency-Key": key }) };
  const { status, headers: answered } = await send(`${url}/invoke/${fnId}`, body, { headers });
  return status === 202 ? (answered.get("fn-call-id") ?? "") : "";
}

/** What a route of ours answers; throws when that is no success. */
export async function read<T>(url: string): Promise<T> {
  const { status, text } = await send(url, undefined, { method: "GET" });
  if (status !== 200) throw new Error(`${url}: ${status} ${text}`);
  // The caller names the contract's type of this route.
  return JSON.parse(text) as T;
}

/** The record of a call once it has ended; it may come a moment after the answer. */
export async function endedCall(url: string, callId: string): Promise<CallView> {
  return until(async () => {
    const { status, text } = await send(`${url}/chaya/v1/calls/${callId}`, undefined, { method: "GET" });
    const record: CallView | undefined = status === 200 ? JSON.parse(text) : undefined;
    return record?.finishedAt === undefined ? undefined : record;
  }, `the end of call ${callId}`);
}

/** The id of a call whose record says that it runs. */
export async function runningCall(url: string): Promise<string | undefined> {
  const { items } = await read<{ items: readonly CallView[] }>(`${url}/chaya/v1/calls?status=running`);
  return items[0]?.id;
}

export async function logOf(url: string, callId: string): Promise<readonly LogLineView[]> {
  return (await read<{ items: LogLineView[] }>(`${url}/chaya/v1/calls/${callId}/log`)).items;
}

/** Asks again until there is an answer; for what happens in other processes. Fails after `timeoutMs`. */
export async function until<T>(
  look: () => Promise<T | undefined> | T | undefined,
  what: string,
  timeoutMs = 15_000,
): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > deadlineMs) throw new Error(`${what} did not come within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
