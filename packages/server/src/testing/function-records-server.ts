import { mkdtemp, rm } from "node:fs/promises";
import { type IncomingHttpHeaders, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PayloadDriver } from "../drivers/payload/driver.ts";
import { openFilesystemPayloads } from "../drivers/payload/filesystem/index.ts";
import { createFunctionRecords, type FunctionRecords } from "../functions/function-records.ts";
import type { RecordDeps } from "../functions/records/commit.ts";
import { noAudit } from "../http/audit.ts";
import type { Authentication } from "../http/authenticate.ts";
import { type Authorize, administratorOnly } from "../http/authorize.ts";
import { createControlServer } from "../http/control/control-server.ts";
import { Front } from "../http/front/front.ts";
import { createMainRules } from "../http/front/main-rules.ts";
import { systemClock } from "../kernel/clock.ts";
import { createIds, type NewId } from "../kernel/ids.ts";
import { Lifetime } from "../kernel/lifetime.ts";
import { silentLogger } from "../kernel/logger.ts";
import { systemRandom } from "../kernel/random.ts";
import type { HasCompartment } from "../seams.ts";
import { createChangesFeed } from "../work/changes-feed.ts";
import type { WorkQueue } from "../work/work.ts";
import { createWorkQueue } from "../work/work-queue.ts";
import { ManualClock } from "./manual-clock.ts";
import type { OpenTestStore } from "./stores.ts";

export interface FunctionRecordsServer extends AsyncDisposable {
  readonly opened: OpenTestStore;
  readonly records: FunctionRecords;
  readonly recordDeps: RecordDeps;
  readonly payloads: PayloadDriver;
  readonly work: WorkQueue;
  readonly newId: NewId;
  readonly port: number;
  /** The images that the runtime was told to forget. */
  readonly forgotten: readonly string[];
  /** The time of the records. */
  readonly clock: ManualClock;
  ask(asked: Asked): Promise<Told>;
}

interface Asked {
  readonly method: string;
  /** Sent as it is. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | undefined;
}

interface Told {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** Asks with JSON and reads the answer as such. */
export async function askJson(
  server: FunctionRecordsServer,
  send: string,
  body?: unknown,
): Promise<{ readonly status: number; readonly json: unknown }> {
  const [method = "", path = ""] = send.split(" ");
  const { status, text } = await server.ask({ method, path, body: body === undefined ? body : JSON.stringify(body) });
  return { status, json: text === "" ? undefined : JSON.parse(text) };
}

/** Where a test has more than one compartment, or more than one principal. */
export interface AccessForTests {
  readonly compartmentId: string;
  readonly hasCompartment: HasCompartment;
  readonly authorize: Authorize;
  readonly authentication: Authentication;
}

/** One node that serves the records of functions over HTTP. Closes the store it was given. */
export async function startFunctionRecordsServer(
  opened: OpenTestStore,
  publicUrl = "http://localhost:8080",
  access: Partial<AccessForTests> = {},
): Promise<FunctionRecordsServer> {
  const { compartmentId = "root", hasCompartment, authorize = administratorOnly, authentication } = access;
  const lifetime = new Lifetime();
  const { store } = lifetime.own(opened);
  const clock = new ManualClock();
  const [realClock, random, logger] = [systemClock(), systemRandom(), silentLogger()];
  const newId = createIds(realClock, random);
  const directory = await mkdtemp(join(tmpdir(), "chaya-records-"));
  lifetime.onClose(() => rm(directory, { recursive: true, force: true }));
  const payloads = lifetime.own(
    await openFilesystemPayloads({ clock, ids: newId, logger }, { directory: join(directory, "payloads") }),
  );
  const changes = lifetime.own(createChangesFeed({ store, clock: realClock, logger }));
  await changes.start();
  const work = lifetime.own(createWorkQueue({ store, clock: realClock, ids: newId, random, logger, placesMax: 4 }));
  const forgotten: string[] = [];
  const recordDeps = { store, changes, clock, newId, compartmentId };
  const records = lifetime.own(
    await createFunctionRecords({
      ...{ ...recordDeps, logger, payloads },
      ...{ region: "us-ashburn-1", authorize, audit: noAudit, ...(hasCompartment && { hasCompartment }) },
      publicUrl: () => publicUrl,
      deadLetters: work.deadLetters,
      forgetImages: async (images) => void forgotten.push(...images),
    }),
  );
  const reached = (seq: number, signal: AbortSignal) => changes.reached(seq, signal);
  const control = lifetime.own(
    await createControlServer({ clock: realClock, logger, reached, authorize, audit: noAudit }, records.routes),
  );
  const front = lifetime.own(
    new Front({
      ...{ clock: realClock, logger, newId, trustedProxies: [] },
      rules: createMainRules({
        hosts: { publicUrl: () => publicUrl, allowedHosts: [] },
        ...(authentication && { authentication }),
      }),
      served: [...control.served, ...records.streams],
    }),
  );
  const { port } = await front.listen("127.0.0.1", 0);
  return {
    ...{ opened, records, recordDeps, payloads, work, newId, port, forgotten, clock },
    ask: (asked) => ask(port, asked),
    [Symbol.asyncDispose]: () => lifetime[Symbol.asyncDispose](),
  };
}

function ask(port: number, { method, path, headers = {}, body }: Asked): Promise<Told> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, method, path, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.once("error", reject);
      response.once("end", () => {
        const text = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
      });
    });
    sent.once("error", reject);
    sent.end(body);
  });
}

/** Creates an application, a function or a trigger; returns its id. */
export async function create(
  server: FunctionRecordsServer,
  kind: "apps" | "fns" | "triggers",
  spec: Readonly<Record<string, unknown>>,
): Promise<string> {
  const { status, json } = await askJson(server, `POST /v2/${kind}`, spec);
  if (status !== 200) throw new Error(`creating failed: ${JSON.stringify(json)}`);
  return String(Object(json).id);
}
