import { type Client, createClient } from "@chaya/client";
import { CliError, usageError } from "../cli-error.ts";
import type { Terminal } from "../terminal.ts";
import { visibleText } from "../visible-text.ts";
import { connectInspector } from "./connect-inspector.ts";
import { LocalInspector } from "./local-inspector.ts";
import { unhurriedFetch } from "./unhurried-fetch.ts";

export interface InspectedCallOptions {
  readonly client: Pick<Client, "url" | "headers" | "chaya">;
  readonly terminal: Pick<Terminal, "stderr">;
  readonly fnId: string;
  readonly contentType: string;
  readonly body: NonNullable<RequestInit["body"]> | undefined;
  /** As it was given; Node's usual one when absent. */
  readonly port: string | undefined;
}

/** A call that a debugger is attached to; the debugger stays until this is disposed. */
export interface InspectedCall extends AsyncDisposable {
  readonly response: Response;
}

const usualPort = 9229;

/** Calls the function with its inspector open, says where that is, and waits for the answer however long it takes. */
export async function callInspected(options: InspectedCallOptions): Promise<InspectedCall> {
  const { fnId, contentType, body, terminal } = options;
  const port = portOf(options.port);
  const inspection = await options.client.chaya.createInspection({ fnId });
  const client = createClient({ url: options.client.url, headers: options.client.headers, fetch: unhurriedFetch });
  const connect = () => connectInspector(client.inspectorUrl(inspection.id), client.headers);
  const local = await LocalInspector.open({ port, connect });
  try {
    const call = client.callInspected({ inspectionId: inspection.id, contentType, ...(body && { body }) });
    if (local.port !== port) terminal.stderr.write(`Port ${port} is taken.\n`);
    const target = await Promise.race([readTarget(local.port), call.then(() => undefined)]).catch(async (cause) => {
      // When the instance could not be started, the call says why.
      const answered = await call;
      if (answered.ok) throw new CliError({ what: "The inspector of the function cannot be reached." }, { cause });
    });
    if (target !== undefined) terminal.stderr.write(instructions(target, local.port));
    return { response: await call, [Symbol.asyncDispose]: () => local[Symbol.asyncDispose]() };
  } catch (error) {
    await local[Symbol.asyncDispose]();
    throw error;
  }
}

function portOf(given: string | undefined): number {
  const port = Number(given ?? usualPort);
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw usageError(`--inspect-port: '${given}' is not a port.`, `Example: --inspect-port ${usualPort}`);
}

/** What debuggers read of a Node that waits for them. */
interface Target {
  readonly url: string;
  readonly webSocketDebuggerUrl: string;
}

async function readTarget(port: number): Promise<Target> {
  const response = await unhurriedFetch(`http://127.0.0.1:${port}/json/list`);
  // Node's own list, of the one target that it is.
  const [target] = (await response.json()) as readonly [Target];
  return target;
}

function instructions({ url, webSocketDebuggerUrl }: Target, port: number): string {
  return [
    `Debugger listening on ${visibleText(webSocketDebuggerUrl)}`,
    `For help, see: https://nodejs.org/learn/getting-started/debugging`,
    `${visibleText(url)} waits for a debugger: open chrome://inspect, or attach VS Code to port ${port}.`,
    "",
  ].join("\n");
}
