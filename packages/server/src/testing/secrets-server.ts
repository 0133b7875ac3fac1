import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { noAudit } from "../http/audit.ts";
import { administratorOnly } from "../http/authorize.ts";
import { createControlServer } from "../http/control/control-server.ts";
import { Front } from "../http/front/front.ts";
import { createMainRules } from "../http/front/main-rules.ts";
import { systemClock } from "../kernel/clock.ts";
import { Lifetime } from "../kernel/lifetime.ts";
import { silentLogger } from "../kernel/logger.ts";
import { systemRandom } from "../kernel/random.ts";
import { createSecrets, type Secrets } from "../secrets/index.ts";
import { create, type FunctionRecordsServer, startFunctionRecordsServer } from "./function-records-server.ts";
import type { OpenTestStore } from "./stores.ts";

export interface SecretsServer extends AsyncDisposable {
  /** Applications and functions. */
  readonly functions: FunctionRecordsServer;
  readonly secrets: Secrets;
  readonly keyFile: string;
  /** The ids of an application `shop` with the functions `buy` and `sell`. */
  readonly ids: { readonly shop: string; readonly buy: string; readonly sell: string };
  /** `send` is `METHOD /rest`, below `/chaya/v1/apps/`. */
  ask(send: string, body?: unknown): Promise<{ status: number; text: string; json: unknown; headers: Headers }>;
}

export interface SecretsServerOptions {
  /** The data directory of a server before; left alone at the end. */
  readonly directory?: string;
  /** Of a server before on the same store. */
  readonly ids?: SecretsServer["ids"];
}

/** One node that serves secrets over HTTP. Closes the store it was given. */
export async function startSecretsServer(
  opened: OpenTestStore,
  options: SecretsServerOptions = {},
): Promise<SecretsServer> {
  const lifetime = new Lifetime();
  try {
    return await start(lifetime, opened, options);
  } catch (error) {
    await lifetime[Symbol.asyncDispose]();
    throw error;
  }
}

async function start(lifetime: Lifetime, opened: OpenTestStore, options: SecretsServerOptions): Promise<SecretsServer> {
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), "chaya-secrets-")));
  if (options.directory === undefined) lifetime.onClose(() => rm(directory, { recursive: true, force: true }));
  const functions = lifetime.own(await startFunctionRecordsServer(opened));
  const keyFile = join(directory, "secrets.key");
  const { resolve, places } = functions.records;
  const [clock, random, logger] = [systemClock(), systemRandom(), silentLogger()];
  const secrets = lifetime.own(
    await createSecrets({ ...functions.recordDeps, resolve, places, random, logger, keyFile }),
  );
  const reached = (seq: number, signal: AbortSignal) => functions.recordDeps.changes.reached(seq, signal);
  const control = lifetime.own(
    await createControlServer({ clock, logger, reached, authorize: administratorOnly, audit: noAudit }, secrets.routes),
  );
  const hosts = { publicUrl: () => "http://localhost:8080", allowedHosts: [] };
  const { newId } = functions;
  const rules = createMainRules({ hosts });
  const front = lifetime.own(new Front({ clock, logger, newId, trustedProxies: [], rules, served: control.served }));
  const { port } = await front.listen("127.0.0.1", 0);
  const ids = options.ids ?? (await createShop(functions));
  return {
    ...{ functions, secrets, keyFile, ids },
    ask: (send, body) => ask(port, send, body),
    [Symbol.asyncDispose]: () => lifetime[Symbol.asyncDispose](),
  };
}

async function createShop(functions: FunctionRecordsServer): Promise<SecretsServer["ids"]> {
  const shop = await create(functions, "apps", { name: "shop" });
  const buy = await create(functions, "fns", { app_id: shop, name: "buy", image: "i" });
  const sell = await create(functions, "fns", { app_id: shop, name: "sell", image: "i" });
  return { shop, buy, sell };
}

async function ask(port: number, send: string, body: unknown): ReturnType<SecretsServer["ask"]> {
  const [method = "", path = ""] = send.split(" ");
  const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
  const answer = await fetch(`http://127.0.0.1:${port}/chaya/v1/apps${path}`, init);
  const text = await answer.text();
  return { status: answer.status, text, json: text === "" ? undefined : JSON.parse(text), headers: answer.headers };
}
