import { Problem } from "@chaya/contract";
import { type CompiledQuery, InsertQueryNode, ValuesNode } from "kysely";
import { LinkedQueue } from "../../../kernel/linked-queue.ts";
import type { BoundStatement } from "../bind-statement.ts";
import type { Applied, Statement, StatementResult } from "../driver.ts";
import { applyBatch, attemptBatch } from "./apply-batch.ts";
import type { Connections } from "./connections.ts";

/**
 * Group commit for rows that nobody else can be waiting for: plain inserts of different callers go to the server in
 * one flight and share one commit. When one of them fails, none was kept, and each batch is written by itself.
 */
export class AppendGroup {
  readonly #connections: Connections;
  readonly #waiting = new LinkedQueue<WaitingAppend>();
  #state: "idle" | "woken" | "busy" = "idle";

  constructor(connections: Connections) {
    this.#connections = connections;
  }

  append(batch: readonly BoundStatement[]): Promise<Applied> {
    if (this.#waiting.size >= appendsWaitingMax) return Promise.reject(tooMany());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ batch, resolve, reject });
      this.#wake();
    });
  }

  /** Whoever calls in the same tick shares the flight; who comes while one is under way shares the next. */
  #wake(): void {
    if (this.#state !== "idle") return;
    this.#state = "woken";
    setImmediate(() => void this.#work());
  }

  /** Never rejects: failures go to those who wait. */
  async #work(): Promise<void> {
    this.#state = "busy";
    const group = takeGroup(this.#waiting);
    if (group.length === 1) await this.#writeAlone(group);
    else await this.#writeTogether(group);
    this.#state = "idle";
    if (this.#waiting.size > 0) this.#wake();
  }

  async #writeTogether(group: readonly WaitingAppend[]): Promise<void> {
    const statements = group.flatMap(({ batch }) =>
      batch.map((statement) => ({ ...statement, expect: "any" as const })),
    );
    const outcome = await attemptBatch(this.#connections, statements);
    if (outcome.kind === "applied") shareResults(group, outcome.results);
    else if (outcome.kind === "failed" && outcome.failure.kind === "unavailable") {
      for (const { reject } of group) reject(outcome.failure.error);
    } else await this.#writeAlone(group);
  }

  async #writeAlone(group: readonly WaitingAppend[]): Promise<void> {
    await Promise.all(
      group.map(({ batch, resolve, reject }) => applyBatch(this.#connections, batch).then(resolve, reject)),
    );
  }
}

interface WaitingAppend {
  readonly batch: readonly BoundStatement[];
  resolve(applied: Applied): void;
  reject(error: unknown): void;
}

const appendsWaitingMax = 50_000;
const groupStatementsMax = 512;

/**
 * Whether it inserts rows and does nothing else, and its count is known before: then it can share a commit. An insert
 * that updates on conflict waits for the row's other writers and would make the whole group wait.
 */
export function isAppend({ query: node }: CompiledQuery, expect: Statement["expect"]): boolean {
  if (!InsertQueryNode.is(node) || node.onConflict !== undefined) return false;
  if (node.values === undefined || !ValuesNode.is(node.values)) return false;
  return typeof expect !== "number" || expect === node.values.values.length;
}

function takeGroup(waiting: LinkedQueue<WaitingAppend>): readonly WaitingAppend[] {
  const group: WaitingAppend[] = [];
  let statements = 0;
  for (let next = waiting.peek(); next !== undefined; next = waiting.peek()) {
    statements += next.batch.length;
    if (group.length > 0 && statements > groupStatementsMax) break;
    group.push(next);
    waiting.shift();
  }
  return group;
}

function shareResults(group: readonly WaitingAppend[], results: readonly StatementResult[]): void {
  let start = 0;
  for (const { batch, resolve } of group) {
    resolve({ kind: "applied", results: results.slice(start, start + batch.length) });
    start += batch.length;
  }
}

function tooMany(): Problem {
  return new Problem("store-unavailable", { reason: "too many writes wait for PostgreSQL" }, { retryAfterMs: 1_000 });
}
