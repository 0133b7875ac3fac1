import { limits } from "@chaya/contract";
import { idOf, ocidTypes } from "@chaya/contract/oci";
import type { Store } from "../../drivers/store/driver.ts";
import type { AuditEventsTable, MainTables } from "../../drivers/store/tables.ts";
import type { Audit, AuditedRequest, AuditOutcome } from "../../http/audit.ts";
import type { Clock, Timer } from "../../kernel/clock.ts";
import { idPrefixAt, type NewId } from "../../kernel/ids.ts";
import type { Logger } from "../../kernel/logger.ts";

export interface AuditDeps {
  readonly store: Store<MainTables>;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly logger: Logger;
}

const roundEveryMs = 3_600_000;

/**
 * Keeps one row per control change that was asked for, in two halves: before the change is made and after it. A row
 * without its second half tells of a server that ended between the two.
 */
export class AuditEvents implements Audit, AsyncDisposable {
  readonly #deps: AuditDeps;
  readonly #rounds: Timer;
  #round: Promise<void> = Promise.resolve();

  constructor(deps: AuditDeps) {
    this.#deps = deps;
    this.#rounds = deps.clock.every(roundEveryMs, () => {
      this.#round = this.#trim();
    });
  }

  async begin(request: AuditedRequest): ReturnType<Audit["begin"]> {
    const { store } = this.#deps;
    const row = this.#row(request);
    await store.apply([{ query: store.db.insertInto("audit_events").values(row) }]);
    return { end: (outcome) => this.#end(row.id, outcome) };
  }

  /** Newest first. */
  async list(filter: AuditFilter, page: { readonly afterId: string | undefined; readonly countMax: number }) {
    let query = this.#deps.store.db
      .selectFrom("audit_events")
      .selectAll()
      .orderBy("id", "desc")
      .limit(page.countMax + 1);
    for (const column of ["principal_id", "operation", "resource_id", "compartment_id"] as const) {
      const value = filter[column];
      if (value !== undefined) query = query.where(column, "=", value);
    }
    if (filter.outcome === "unknown") query = query.where("status", "is", null);
    if (filter.outcome === "done") query = query.where("status", "is not", null).where("problem", "is", null);
    if (filter.outcome === "refused") query = query.where("problem", "is not", null);
    if (filter.sinceMs !== undefined) query = query.where("id", ">=", idPrefixAt(filter.sinceMs));
    if (filter.untilMs !== undefined) query = query.where("id", "<", idPrefixAt(filter.untilMs));
    if (page.afterId !== undefined) query = query.where("id", "<", page.afterId);
    const rows = await query.execute();
    const events = rows.slice(0, page.countMax);
    return { events, next: rows.length > page.countMax ? events.at(-1)?.id : undefined };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#rounds.cancel();
    await this.#round;
  }

  #row({ exchange, operation, place, resourceId }: AuditedRequest): AuditEventsTable {
    const { principal, path, requestId, peer, request } = exchange;
    return {
      id: this.#deps.newId(),
      at_ms: this.#deps.clock.nowMs(),
      principal_kind: principal.kind,
      principal_id: principal.id,
      principal_name: principal.name,
      operation,
      method: request.method ?? "",
      path: path.slice(0, limits.auditPathCharactersMax),
      resource_id: resourceId === undefined ? null : recordId(resourceId),
      resource_name: null,
      compartment_id: place === "anywhere" ? null : place.compartmentId,
      request_id: requestId,
      peer,
      user_agent: (request.headers["user-agent"] ?? "").slice(0, limits.auditUserAgentCharactersMax),
      status: null,
      problem: null,
      finished_at_ms: null,
    };
  }

  async #end(id: string, { status, problem, resource }: AuditOutcome): Promise<void> {
    const { store, clock, logger } = this.#deps;
    const made = {
      ...(resource.id !== undefined && { resource_id: recordId(resource.id) }),
      ...(resource.name !== undefined && { resource_name: resource.name }),
    };
    const end = { status, problem: problem ?? null, finished_at_ms: clock.nowMs(), ...made };
    try {
      await store.apply([{ query: store.db.updateTable("audit_events").set(end).where("id", "=", id) }]);
    } catch (error) {
      logger.error("an audit event has no end", { id, status, error });
    }
  }

  async #trim(): Promise<void> {
    const { store, clock, logger } = this.#deps;
    try {
      await store.trim("audit_events", clock.nowMs() - limits.auditEventsAgeMsMax);
    } catch (error) {
      logger.warn("audit events not trimmed", { error });
    }
  }
}

export interface AuditFilter {
  readonly principal_id: string | undefined;
  readonly operation: string | undefined;
  readonly resource_id: string | undefined;
  readonly compartment_id: string | undefined;
  readonly outcome: "done" | "refused" | "unknown" | undefined;
  readonly sinceMs: number | undefined;
  readonly untilMs: number | undefined;
}

/** One thing is found under one id, whichever API named it. */
export function recordId(text: string): string {
  for (const type of ocidTypes) {
    const id = idOf(type, text);
    if (id !== undefined) return id;
  }
  return text;
}
