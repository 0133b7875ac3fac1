import { type PolicyVariable, policyVariables } from "@chaya/contract";
import { ocidOf } from "@chaya/contract/oci";
import type { Place } from "../../http/authorize.ts";
import type { AccessDirectory } from "../model.ts";
import { equalsValue } from "./compare-value.ts";
import type { Condition } from "./policy.ts";

/** What is known of a principal before it asks: the variables under `request.`, except for the operation. */
export type PrincipalFacts = ReadonlyMap<string, readonly string[]>;

/**
 * Whether a condition holds in a request; a boolean where that depends on nothing but the principal. Without a place the
 * question is whether it could hold in some place.
 */
export type Holds = boolean | ((operation: string | undefined, place: Place | undefined) => boolean);

/** A variable that is not there fulfils neither `=` nor `!=`: the language has no `not`, so it never widens a right. */
export function compileCondition(condition: Condition, facts: PrincipalFacts, directory: AccessDirectory): Holds {
  if (condition.kind === "compare") return compileComparison(condition, facts, directory);
  const isAll = condition.kind === "all";
  const open: Exclude<Holds, boolean>[] = [];
  for (const part of condition.conditions) {
    const holds = compileCondition(part, facts, directory);
    if (holds === !isAll) return holds;
    if (typeof holds === "function") open.push(holds);
  }
  const [only, ...others] = open;
  if (only === undefined) return isAll;
  if (others.length === 0) return only;
  return isAll
    ? (operation, place) => open.every((holds) => holds(operation, place))
    : (operation, place) => open.some((holds) => holds(operation, place));
}

type Comparison = Extract<Condition, { kind: "compare" }>;

function compileComparison(comparison: Comparison, facts: PrincipalFacts, directory: AccessDirectory): Holds {
  const { variable, operator, value } = comparison;
  // The parser lets no other variable pass.
  const { ids } = policyVariables[variable as keyof typeof policyVariables] as PolicyVariable;
  const equals = equalsValue(value, ids);
  const wanted = operator === "=";
  if (variable === "request.operation") {
    return (operation) => {
      if (operation === undefined) return false;
      const oracles = namesInPolicies.get(operation);
      return (equals(operation) || (oracles !== undefined && equals(oracles))) === wanted;
    };
  }
  if (!variable.startsWith("target.")) {
    const actual = facts.get(variable);
    return actual !== undefined && actual.some(equals) === wanted;
  }
  const read = targetReader(variable.slice("target.".length), directory);
  return (_, place) => {
    if (place === undefined) return true;
    const actual = read(place);
    return actual !== undefined && equals(actual) === wanted;
  };
}

/** What OCI's policy reference calls operations that its API calls otherwise: policies may use either name. */
const namesInPolicies: ReadonlyMap<string, string> = new Map([
  ["ListApplications", "ListApp"],
  ["GetApplication", "GetApp"],
  ["CreateApplication", "CreateApp"],
  ["UpdateApplication", "UpdateApp"],
  ["DeleteApplication", "DeleteApp"],
]);

/** A place that is about another compartment than the one it lies in says so in its target. */
function targetReader(name: string, directory: AccessDirectory): (place: Place) => string | undefined {
  switch (name) {
    case "compartment.id":
      return ({ target, compartmentId }) => target?.[name] ?? ocidOfCompartment(compartmentId, directory);
    case "compartment.name":
      return ({ target, compartmentId }) => target?.[name] ?? directory.compartment(compartmentId)?.name;
    default:
      return ({ target }) => target?.[name];
  }
}

/** The root compartment has the OCID of the tenancy. */
export function ocidOfCompartment(id: string, { rootId }: AccessDirectory): string {
  return ocidOf(id === rootId ? "tenancy" : "compartment", id, "");
}
