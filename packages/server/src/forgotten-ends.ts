import { problems } from "@chaya/contract";
import type { Store } from "./drivers/store/driver.ts";
import type { MainTables } from "./drivers/store/tables.ts";
import { statusOfProblem } from "./functions/index.ts";
import type { Clock } from "./kernel/clock.ts";
import type { Logger } from "./kernel/logger.ts";
import type { CallProblem } from "./seams.ts";
import type { ForgottenEnd, Telemetry } from "./telemetry/index.ts";

export interface ForgottenEndsDeps {
  readonly store: Store<MainTables>;
  readonly telemetry: Pick<Telemetry, "callsWithoutEnd" | "recordEnds">;
  readonly clock: Pick<Clock, "nowMs">;
  readonly logger: Logger;
}

const pageCallsMax = 200;

/**
 * A crash forgets the records of the last moments, and work that was settled before it is not there to tell them again.
 * So a server that starts looks, beside everything else, at calls that run later and have no recorded end: whose work is
 * gone, has ended. Disposing stops looking; the next start goes on.
 */
export function recordForgottenEnds(deps: ForgottenEndsDeps): AsyncDisposable {
  let isClosed = false;
  const looking = recordAll(deps, () => isClosed).catch((error: unknown) => {
    deps.logger.warn("ends of calls that a crash forgot could not be recorded; the next start tries again", { error });
  });
  return {
    [Symbol.asyncDispose]: async () => {
      isClosed = true;
      await looking;
    },
  };
}

async function recordAll(deps: ForgottenEndsDeps, isClosed: () => boolean): Promise<void> {
  const { store, telemetry, clock } = deps;
  const beforeMs = clock.nowMs();
  for (let afterId = ""; !isClosed(); ) {
    // In this order: what is read without an end and then found without work did end, whatever goes on meanwhile.
    const ids = await telemetry.callsWithoutEnd({ afterId, beforeMs, countMax: pageCallsMax });
    if (ids.length === 0) return;
    const kept = await keptAmong(store, ids);
    await telemetry.recordEnds(ids.flatMap((id) => endOf(id, kept.get(id), clock.nowMs())));
    afterId = ids.at(-1) ?? "";
  }
}

/** `letter`: why it died. */
type Kept =
  | { readonly kind: "work" }
  | { readonly kind: "letter"; readonly problem: string; readonly diedAtMs: number };

/** What is left of these calls, in one statement: work that dies moves from one table to another. */
async function keptAmong(store: Store<MainTables>, ids: readonly string[]): Promise<ReadonlyMap<string, Kept>> {
  const rows = await store.db
    .selectFrom("work")
    .select((eb) => ["id", eb.cast<string | null>(eb.val(null), "text").as("problem"), "accepted_at_ms as at_ms"])
    .where("id", "in", ids)
    .unionAll(
      store.db
        .selectFrom("dead_letters")
        .select((eb) => ["id", eb.cast<string | null>("problem", "text").as("problem"), "died_at_ms as at_ms"])
        .where("id", "in", ids),
    )
    .execute();
  return new Map(
    rows.map(({ id, problem, at_ms }) => [
      id,
      problem === null ? { kind: "work" } : { kind: "letter", problem, diedAtMs: at_ms },
    ]),
  );
}

/** When it ended nobody knows any more: by now it has. */
function endOf(id: string, kept: Kept | undefined, nowMs: number): readonly ForgottenEnd[] {
  if (kept === undefined) return [{ id, status: "succeeded", finishedAtMs: nowMs, problem: undefined }];
  if (kept.kind === "work") return [];
  // Written by this program, as its own problem.
  const problem = JSON.parse(kept.problem) as CallProblem;
  const status = isProblemCode(problem.code) ? statusOfProblem({ code: problem.code }) : "refused";
  return [{ id, status, finishedAtMs: kept.diedAtMs, problem }];
}

function isProblemCode(code: string): code is keyof typeof problems {
  return code in problems;
}
