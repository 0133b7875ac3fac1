import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

type Json = Record<string, unknown>;

/** What the command line needs of a server, in memory: Fn's records, bundles, and answers that a test sets. */
export interface FakeServer extends AsyncDisposable {
  readonly url: string;
  /** `METHOD /path?query body`, in order; reads of lists by name are left out. */
  readonly changes: readonly string[];
  readonly apps: Json[];
  readonly fns: Json[];
  readonly triggers: Json[];
  /** Image → the uploaded bytes. */
  readonly bundles: ReadonlyMap<string, Buffer>;
  /** Answers of paths beside the records: `METHOD /path` → answer. */
  readonly answers: Map<string, FakeAnswer>;
}

interface FakeAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: unknown;
}

export async function startFakeServer(): Promise<FakeServer> {
  const state = {
    changes: [] as string[],
    apps: [] as Json[],
    fns: [] as Json[],
    triggers: [] as Json[],
    bundles: new Map<string, Buffer>(),
    answers: new Map<string, FakeAnswer>(),
    url: "",
  };
  const server = createServer((request, response) => void answer(state, request, response)).listen(0, "127.0.0.1");
  await once(server, "listening");
  state.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return Object.assign(state, {
    [Symbol.asyncDispose]: async () => {
      server.close().closeAllConnections();
      await once(server, "close");
    },
  });
}

type State = Pick<FakeServer, "url" | "apps" | "fns" | "triggers" | "answers"> & {
  readonly changes: string[];
  readonly bundles: Map<string, Buffer>;
};

async function answer(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "/", state.url);
  const body = await buffer(request);
  const isUpload = url.pathname === "/chaya/v1/bundles";
  if (request.method !== "GET") {
    state.changes.push(`${request.method} ${request.url}${isUpload || body.length === 0 ? "" : ` ${body}`}`);
  }
  const set = state.answers.get(`${request.method} ${url.pathname}`);
  const [, , kind, id] = url.pathname.split("/");
  let found: FakeAnswer = { status: 404, body: { message: "Path not found" } };
  if (set !== undefined) found = set;
  else if (isUpload) found = storeBundle(state, url, body);
  else if (url.pathname.startsWith("/v2/")) {
    const json = body.length === 0 ? {} : JSON.parse(body.toString());
    found = records(state, { kind: kind ?? "", id, method: request.method ?? "", url, body: json });
  }
  const content = found.body;
  response.writeHead(found.status ?? 200, { "content-type": "application/json", ...found.headers });
  response.end(typeof content === "string" || content instanceof Uint8Array ? content : JSON.stringify(content));
}

function storeBundle(state: State, url: URL, bytes: Buffer): FakeAnswer {
  const digest = createHash("sha256").update(bytes).digest("hex");
  const image = `bundle/${url.searchParams.get("app")}/${url.searchParams.get("fn")}:sha256-${digest}`;
  const isNew = !state.bundles.has(image);
  state.bundles.set(image, bytes);
  return { body: { image, digest, bytes: bytes.length, isNew } };
}

interface RecordRequest {
  readonly kind: string;
  readonly id: string | undefined;
  readonly method: string;
  readonly url: URL;
  readonly body: Json;
}

function records(state: State, { kind, id, method, url, body }: RecordRequest): FakeAnswer {
  const table = { apps: state.apps, fns: state.fns, triggers: state.triggers }[kind];
  if (table === undefined) return { status: 404, body: { message: "Path not found" } };
  if (id === undefined && method === "GET") {
    const filters = [...url.searchParams].filter(([name]) => name !== "per_page" && name !== "cursor");
    const items = table.filter((one) => filters.every(([name, value]) => one[name] === value));
    return { body: { items: items.map((one) => view(state, kind, one)) } };
  }
  if (id === undefined) {
    const made: Json = {
      id: `01${kind.toUpperCase()}${table.length}`,
      created_at: "2026-01-01T00:00:00.000Z",
      updated_at: "2026-01-01T00:00:00.000Z",
      config: {},
      ...body,
    };
    table.push(made);
    return { body: view(state, kind, made) };
  }
  const found = table.find((one) => one.id === id);
  if (found === undefined)
    return {
      status: 404,
      body: { message: { apps: "App not found", fns: "Fn not found", triggers: "Trigger not found" }[kind] },
    };
  if (method === "GET") return { body: view(state, kind, found) };
  if (method === "DELETE") {
    table.splice(table.indexOf(found), 1);
    return { status: 204, body: "" };
  }
  merge(found, body);
  return { body: found };
}

function merge(found: Json, change: Json): void {
  for (const [key, value] of Object.entries(change)) {
    if (key !== "config" && key !== "annotations") {
      found[key] = value;
      continue;
    }
    const kept = Object.entries({ ...(found[key] as Json), ...(value as Json) }).filter(([, one]) => one !== "");
    found[key] = Object.fromEntries(kept);
  }
}

/** Reading adds the endpoints, as Fn does. */
function view(state: State, kind: string, record: Json): Json {
  const app = state.apps.find((one) => one.id === record.app_id);
  const endpoints: Record<string, Json> = {
    fns: { "fnproject.io/fn/invokeEndpoint": `${state.url}/invoke/${record.id}` },
    triggers: { "fnproject.io/trigger/httpEndpoint": `${state.url}/t/${app?.name}${record.source}` },
  };
  return kind === "apps" ? record : { ...record, annotations: { ...(record.annotations as Json), ...endpoints[kind] } };
}
