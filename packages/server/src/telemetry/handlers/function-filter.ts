import { Problem } from "@chaya/contract";
import type { ResolveFunctions } from "../../seams.ts";

export interface FunctionFilter {
  readonly applicationId: string | undefined;
  readonly functionId: string | undefined;
}

/**
 * `app` and `fn` of a query, by name or id, as ids. Throws `application-not-found`, `function-not-found`; a function's
 * name without its application names nothing.
 */
export function functionFilter(
  resolve: ResolveFunctions,
  query: { readonly app?: string | undefined; readonly fn?: string | undefined },
): FunctionFilter {
  const application = query.app === undefined ? undefined : resolve.application(query.app);
  if (query.app !== undefined && application === undefined) {
    throw new Problem("application-not-found", { application: query.app });
  }
  if (query.fn === undefined) return { applicationId: application?.id, functionId: undefined };
  const found = resolve.function(query.fn, application?.id);
  const isElsewhere = application !== undefined && found?.applicationId !== application.id;
  if (found === undefined || isElsewhere) throw new Problem("function-not-found", { function: query.fn });
  return { applicationId: found.applicationId, functionId: found.id };
}
