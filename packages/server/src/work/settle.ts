import type { Statement, Store } from "../drivers/store/driver.ts";
import type { MainTables } from "../drivers/store/tables.ts";
import { assert } from "../kernel/assert.ts";
import type { Logger } from "../kernel/logger.ts";
import type { CallProblem } from "../seams.ts";
import { buryWork, type Held, removeWork, rescheduleWork } from "./records/work-rows.ts";
import type { Settlement } from "./settlement.ts";
import type { Work, WorkKind } from "./work.ts";

/** What came of an item on this node. */
export type Settled =
  | { readonly kind: "gone" }
  /** It waits again and is due after `delayMs`. */
  | { readonly kind: "again"; readonly delayMs: number }
  /** The lease was somebody else's by then: what this node did counts for nothing, the other attempt does. */
  | { readonly kind: "lost" }
  /** This node runs it already. */
  | { readonly kind: "continued" };

export interface Settling {
  readonly kind: WorkKind;
  readonly work: Work;
  readonly held: Held;
}

/** Writes what becomes of an item, with the statements that belong to it, all or nothing. Throws what the store throws. */
export async function settle(
  deps: { readonly store: Store<MainTables>; readonly logger: Logger },
  item: Settling,
  settlement: Settlement,
): Promise<Settled> {
  const { store, logger } = deps;
  const { fence, statements, settled } = writing(deps, item, settlement);
  if (fence.length + statements.length === 1) return (await writeAlone(store, fence)) ? settled : { kind: "lost" };
  const applied = await store.apply([...fence, ...statements]);
  if (applied.kind === "applied") return settled;
  if (applied.index < fence.length) return { kind: "lost" };
  // What belongs to the outcome could not be written as it was meant, so nothing was.
  logger.error("statements of a work outcome were refused", {
    kind: item.work.kind,
    work: item.work.id,
    statement: applied.index - fence.length,
    reason: applied.reason,
  });
  if (settlement.kind === "dead") {
    const buried = await store.apply(fence);
    return buried.kind === "applied" ? settled : { kind: "lost" };
  }
  const again = { delayMs: refusedStatementsDelayMs, isFailure: false };
  const rescheduled = await store.apply([rescheduleWork(store, item.held, again)]);
  return rescheduled.kind === "applied" ? { kind: "again", delayMs: again.delayMs } : { kind: "lost" };
}

/** One statement needs no expectation to be undone, which saves a store far away one round trip. */
async function writeAlone(store: Store<MainTables>, [statement]: readonly Statement[]): Promise<boolean> {
  assert(statement !== undefined, "there is one statement to write");
  const applied = await store.apply([{ query: statement.query }]);
  return applied.kind === "applied" && applied.results[0]?.affected === 1;
}

const refusedStatementsDelayMs = 5_000;

function writing(
  deps: { readonly store: Store<MainTables>; readonly logger: Logger },
  item: Settling,
  settlement: Settlement,
): { readonly fence: readonly Statement[]; readonly statements: readonly Statement[]; readonly settled: Settled } {
  const { store } = deps;
  switch (settlement.kind) {
    case "done":
      return {
        fence: [removeWork(store, item.held)],
        statements: settlement.statements,
        settled: { kind: "gone" },
      };
    case "again":
      return {
        fence: [rescheduleWork(store, item.held, settlement)],
        statements: [],
        settled: { kind: "again", delayMs: settlement.delayMs },
      };
    case "dead":
      return {
        fence: buryWork(store, item.held, settlement.problem),
        statements: statementsOfDeath(deps.logger, item, settlement.problem),
        settled: { kind: "gone" },
      };
    default:
      return settlement satisfies never;
  }
}

/** A kind that cannot say what else to write must not keep its dead item alive. */
function statementsOfDeath(logger: Logger, item: Settling, problem: CallProblem): readonly Statement[] {
  try {
    return item.kind.onDead?.(item.work, problem) ?? [];
  } catch (error) {
    logger.error("work handler failed at a death", { kind: item.work.kind, work: item.work.id, error });
    return [];
  }
}
