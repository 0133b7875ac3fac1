import { mkdtempSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { ensureAdminToken } from "../access/admin-token.ts";
import { createAuthenticate } from "../access/authenticate.ts";
import { createIdentity, type Identity } from "../access/identity.ts";
import { createAuthorize } from "../access/policies/create-authorize.ts";
import type { AccessRecordDeps } from "../access/records/commit.ts";
import { insertUser, updateUser } from "../access/records/users.ts";
import { createSessions } from "../access/sessions/index.ts";
import { noAudit } from "../http/audit.ts";
import { createControlServer } from "../http/control/control-server.ts";
import { systemClock } from "../kernel/clock.ts";
import { createIds } from "../kernel/ids.ts";
import { Lifetime } from "../kernel/lifetime.ts";
import { silentLogger } from "../kernel/logger.ts";
import { systemRandom } from "../kernel/random.ts";
import { createChangesFeed } from "../work/changes-feed.ts";
import { rootId } from "./identity-server.ts";
import { ManualClock } from "./manual-clock.ts";
import type { OpenTestStore } from "./stores.ts";
import { startTestFront } from "./test-front.ts";

export interface SessionAnswer {
  readonly status: number;
  readonly json: unknown;
}

/** One node with identity and sessions, authentication required, and the administrator's token. Its time is the test's. */
export class SessionServer implements AsyncDisposable {
  readonly clock = new ManualClock();
  /** The data directory. */
  readonly directory = mkdtempSync(join(tmpdir(), "chaya-sessions-"));
  readonly #opened: OpenTestStore;
  readonly #lifetime: Lifetime;
  #adminToken = "";
  #port = 0;
  #recordDeps: AccessRecordDeps | undefined;
  #identity: Identity | undefined;

  private constructor(opened: OpenTestStore) {
    this.#opened = opened;
    this.#lifetime = new Lifetime();
    this.#lifetime.own(opened);
    this.#lifetime.onClose(() => rm(this.directory, { recursive: true }));
  }

  /** Closes the store it was given. */
  static async start(opened: OpenTestStore): Promise<SessionServer> {
    const server = new SessionServer(opened);
    await server.#open();
    return server;
  }

  get adminToken(): string {
    return this.#adminToken;
  }

  async ask(line: string, { token, body }: { readonly token?: string; readonly body?: unknown } = {}) {
    const [method = "", path = ""] = line.split(" ");
    const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
    const sent = request({ host: "127.0.0.1", port: this.#port, method, path, headers });
    sent.end(body === undefined ? undefined : JSON.stringify(body));
    return new Promise<SessionAnswer>((resolve, reject) => {
      sent.once("error", reject).once("response", async (response) => {
        const answer = await text(response);
        resolve({ status: response.statusCode ?? 0, json: answer === "" ? undefined : JSON.parse(answer) });
      });
    });
  }

  logIn(loginToken: string): Promise<SessionAnswer> {
    return this.ask("POST /chaya/v1/sessions", { body: { loginToken } });
  }

  async newLoginToken(user: string): Promise<string> {
    const { json } = await this.ask("POST /chaya/v1/login-links", { token: this.adminToken, body: { user } });
    return String(Object(json).url).split("#login=")[1] ?? "";
  }

  async newSession(user: string): Promise<string> {
    return String(Object((await this.logIn(await this.newLoginToken(user))).json).token);
  }

  /** Whether a token is accepted as a credential, whatever it allows. */
  async isKnown(token: string): Promise<boolean> {
    return (await this.ask("POST /chaya/v1/login-links", { token, body: { user: "none" } })).status !== 401;
  }

  async addUser(name: string): Promise<string> {
    const creation = { createdBy: "test", operation: "CreateUser", retryToken: undefined };
    const fields = { name, description: "", email: "", tags: { freeform: {}, defined: {} } };
    return (await insertUser(this.#deps, creation, fields)).record.id;
  }

  async block(userId: string, isBlocked: boolean): Promise<void> {
    await updateUser(this.#deps, { id: userId, checkEtag: () => {} }, (before) => ({ ...before, isBlocked }));
  }

  /** The rows of a kind. */
  tokens(kind: string) {
    return this.#opened.store.db.selectFrom("tokens").selectAll().where("kind", "=", kind).execute();
  }

  /** Of this data directory, or of another server's on the same store. */
  ensureAdminToken(folder = "."): Promise<string> {
    const identity = this.#identity;
    if (identity === undefined) throw new Error("the server has not started");
    return ensureAdminToken({
      ...{ ...this.#deps, random: systemRandom(), ensureAdministrator: identity.ensureAdministrator },
      data: { path: join(this.directory, folder), serverId: `of ${folder}` },
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  get #deps(): AccessRecordDeps {
    if (this.#recordDeps === undefined) throw new Error("the server has not started");
    return this.#recordDeps;
  }

  async #open(): Promise<void> {
    const lifetime = this.#lifetime;
    const { store } = this.#opened;
    const { clock } = this;
    const [random, logger, region] = [systemRandom(), silentLogger(), "us-ashburn-1"];
    const changes = lifetime.own(createChangesFeed({ store, clock: systemClock(), logger }));
    await changes.start();
    const recordDeps = { store, changes, clock, newId: createIds(clock, random), rootId };
    const identity = lifetime.own(await createIdentity({ ...recordDeps, random, logger, region }));
    const { directory } = identity;
    const authorize = createAuthorize({ directory, region, resourceFacts: () => undefined });
    lifetime.onClose(() => authorize[Symbol.dispose]());
    const publicUrl = () => "https://fn.example.org";
    const sessions = lifetime.own(createSessions({ ...recordDeps, random, logger, directory, publicUrl }));
    const authenticate = createAuthenticate({
      ...{ clock, random, logger, directory },
      verifyResourceToken: () => undefined,
    });
    const reached = (seq: number, signal: AbortSignal) => changes.reached(seq, signal);
    const control = lifetime.own(
      await createControlServer({ clock, logger, reached, authorize, audit: noAudit }, sessions.routes),
    );
    const authentication = { authenticate, isRequired: true };
    this.#port = lifetime.own(await startTestFront(control.served, { clock, authentication })).port;
    this.#recordDeps = recordDeps;
    this.#identity = identity;
    this.#adminToken = (await readFile(await this.ensureAdminToken(), "utf8")).trim();
  }
}
