import { Problem } from "@chaya/contract";
import pg from "pg";
import { AssertionError } from "../../../kernel/assert.ts";
import { UniqueViolation } from "../driver.ts";

/** What an error of the server or the connection means, without saying yet what becomes of the caller. */
export type PostgresFailure =
  | { readonly kind: "unique"; readonly error: UniqueViolation }
  /** Another transaction was in the way; the same one may succeed when it is run again. */
  | { readonly kind: "conflict"; readonly error: Problem }
  | { readonly kind: "unavailable"; readonly error: Problem; readonly isConnectionLost: boolean }
  | { readonly kind: "bug"; readonly error: Error };

// SQLSTATE codes (PostgreSQL manual, appendix A); two letters are a whole class.
const reasons: Readonly<Record<string, string>> = {
  "08": "the connection to PostgreSQL was lost",
  "28": "PostgreSQL refused the user or the password",
  "3D": "the database does not exist",
  "53": "PostgreSQL has no resources left",
  "57014": "a statement took too long",
  "57": "PostgreSQL is starting or stopping",
  "58": "PostgreSQL's disk reports an error",
  "25006": "PostgreSQL accepts no writes (it is a standby)",
  XX001: "the database is damaged; restore it from a backup",
  XX002: "an index of the database is damaged; reindex it",
};

/** Serialization failure, deadlock, and a lock that did not come in time. */
const conflicts: ReadonlySet<string> = new Set(["40001", "40P01", "55P03"]);

export function postgresFailure(error: unknown): PostgresFailure {
  if (error instanceof Problem) return unavailable(error, true);
  if (error instanceof AssertionError) return { kind: "bug", error };
  if (!(error instanceof pg.DatabaseError)) return lostConnection(error);
  const code = error.code ?? "";
  if (code === "23505") return { kind: "unique", error: new UniqueViolation(error.message, { cause: error }) };
  if (code === "53100") return unavailable(new Problem("storage-full", { freeBytes: 0 }, { cause: error }), false);
  if (conflicts.has(code)) {
    const reason = "other transactions were in the way";
    return { kind: "conflict", error: new Problem("store-unavailable", { reason }, { cause: error }) };
  }
  const reason = reasons[code] ?? reasons[code.slice(0, 2)];
  if (reason === undefined) return { kind: "bug", error };
  const isConnectionLost = code.startsWith("08") || code.startsWith("57P");
  return unavailable(new Problem("store-unavailable", { reason }, { cause: error }), isConnectionLost);
}

/** Everything that is not an answer of the server: no connection could be made, or it ended. */
function lostConnection(cause: unknown): PostgresFailure {
  const code = cause instanceof Error && "code" in cause && typeof cause.code === "string" ? ` (${cause.code})` : "";
  const problem = new Problem("store-unavailable", { reason: `PostgreSQL cannot be reached${code}` }, { cause });
  return unavailable(problem, true);
}

function unavailable(error: Problem, isConnectionLost: boolean): PostgresFailure {
  return { kind: "unavailable", error, isConnectionLost };
}
