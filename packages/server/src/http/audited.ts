import { type AnyRoute, isProblem } from "@chaya/contract";
import { type Audit, type AuditRecord, isAudited } from "./audit.ts";
import type { Place } from "./authorize.ts";
import type { Exchange } from "./exchange.ts";
import { pathParameters } from "./path-parameters.ts";
import { problemAnswer } from "./problem-response.ts";

/** A request on its way through a control route, as far as its record needs to know it. */
export interface AuditedWork {
  readonly route: AnyRoute;
  readonly exchange: Exchange;
  readonly place: Place | "anywhere";
}

/** Carries out `work` – `shown` is what its answer shows – between the two halves of its record, when its route is one that is recorded. */
export async function audited<T>(
  audit: Audit,
  asked: AuditedWork,
  work: () => Promise<{ readonly status: number; readonly result: T; readonly shown: unknown }>,
): Promise<T> {
  const record = isAudited(asked.route) ? await begin(audit, asked) : undefined;
  try {
    const { status, result, shown } = await work();
    await record?.end({ status, problem: undefined, resource: resourceOf(shown) });
    return result;
  } catch (error) {
    const problem = isProblem(error) ? error : undefined;
    const status = problem === undefined ? 500 : problemAnswer(problem, asked.route.dialect, {}).status;
    await record?.end({ status, problem: problem?.code ?? "internal", resource: nothing });
    throw error;
  }
}

function begin(audit: Audit, { route, exchange, place }: AuditedWork): Promise<AuditRecord> {
  const parameters = Object.values(pathParameters(route, exchange.path) ?? {});
  return audit.begin({
    exchange,
    operation: route.auth?.operation ?? route.path,
    place,
    resourceId: parameters.at(-1),
  });
}

const nothing = { id: undefined, name: undefined };

/** Of an answer that shows one resource, in whichever dialect. */
function resourceOf(result: unknown): { readonly id: string | undefined; readonly name: string | undefined } {
  if (typeof result !== "object" || result === null) return nothing;
  const text = (name: string) => {
    const value: unknown = Reflect.get(result, name);
    return typeof value === "string" ? value : undefined;
  };
  return { id: text("id"), name: text("displayName") ?? text("name") };
}
