import pg from "pg";
import type { Clock, Timer } from "../../../kernel/clock.ts";
import type { Random } from "../../../kernel/random.ts";
import { type Backoff, retryDelayMs } from "../../../kernel/retry.ts";
import type { HintListeners } from "../hint-listeners.ts";
import { type ConnectionOptions, type Connections, clientConfig } from "./connections.ts";

export interface NotificationsDeps {
  readonly options: ConnectionOptions;
  readonly connections: Connections;
  /** Resolves when the writes that run now are over. */
  readonly pendingWrites: () => Promise<void>;
  readonly listeners: HintListeners;
  readonly clock: Clock;
  readonly random: Random;
}

const backoff: Backoff = { baseMs: 100, maxMs: 10_000 };

/**
 * Hints between nodes over NOTIFY, on a connection of their own. States: connecting → listening → (connection lost)
 * waiting → connecting. After each reconnection every listener is called: what was sent meanwhile is lost.
 */
export class Notifications implements AsyncDisposable {
  readonly #deps: NotificationsDeps;
  /** The session that listens: our own hints, which reach our own listeners directly, carry it. */
  #origin = 0;
  readonly #channel: string;
  readonly #pending = new Set<string>();
  #client: pg.Client | undefined;
  #retry: Timer | undefined;
  #sending: Promise<void> | undefined;
  #failures = 0;
  #isClosed = false;

  constructor(deps: NotificationsDeps) {
    this.#deps = deps;
    this.#channel = `chaya_${deps.options.schema}`;
  }

  /** Throws when the first connection cannot be made. */
  async start(): Promise<void> {
    await this.#connect();
  }

  /** Delivered after the writes that run now; several hints for one channel become one. */
  send(channel: string): void {
    this.#pending.add(channel);
    this.#sending ??= this.#send();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#retry?.cancel();
    await this.#sending;
    await this.#client?.end();
  }

  async #send(): Promise<void> {
    const { pendingWrites, listeners } = this.#deps;
    while (this.#pending.size > 0) {
      await pendingWrites();
      const channels = [...this.#pending];
      this.#pending.clear();
      for (const channel of channels) listeners.notify(channel);
      await this.#notifyOthers(channels);
    }
    this.#sending = undefined;
  }

  /** A hint may be lost: others look by themselves, and the write it speaks of has been acknowledged. */
  async #notifyOthers(channels: readonly string[]): Promise<void> {
    const payloads = channels.map((channel) => `${this.#origin}:${channel}`);
    const text = "select pg_notify($1, payload) from unnest($2::text[]) as payload";
    await this.#deps.connections
      .write((client) => client.query(text, [this.#channel, payloads]))
      .catch(() => undefined);
  }

  async #connect(): Promise<void> {
    const client = new pg.Client(clientConfig(this.#deps.options, {}));
    this.#client = client;
    // The event of the end follows, and reconnects.
    client.on("error", () => undefined);
    client.on("notification", ({ payload = "" }) => this.#receive(payload));
    await client.connect();
    client.once("end", () => this.#reconnectLater());
    const session = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
    this.#origin = session.rows[0]?.pid ?? 0;
    await client.query(`listen ${pg.escapeIdentifier(this.#channel)}`);
    this.#failures = 0;
  }

  #receive(payload: string): void {
    const separator = payload.indexOf(":");
    if (Number(payload.slice(0, separator)) !== this.#origin) this.#deps.listeners.notify(payload.slice(separator + 1));
  }

  #reconnectLater(): void {
    if (this.#isClosed) return;
    this.#failures++;
    this.#retry?.cancel();
    const delayMs = retryDelayMs(this.#failures, backoff, this.#deps.random.number());
    this.#retry = this.#deps.clock.schedule(delayMs, () => void this.#reconnect());
  }

  async #reconnect(): Promise<void> {
    try {
      await this.#connect();
      this.#deps.listeners.notifyAll();
    } catch {
      // The server is still away, or went away again: the next attempt comes later.
      this.#reconnectLater();
    }
  }
}
