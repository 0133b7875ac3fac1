import { Problem } from "@chaya/contract";
import type { AccessDirectory } from "../model.ts";
import type { Location, Policy } from "./policy.ts";

type Compartments = Pick<AccessDirectory, "rootId" | "lineage" | "compartment" | "compartmentNamed">;

/**
 * The compartment that a statement of a policy reaches, with everything below; undefined when there is none: a name that
 * is not there (any more), or a place outside of the compartment that the policy is attached to.
 */
export function reachOf(directory: Compartments, compartmentId: string, location: Location): string | undefined {
  switch (location.kind) {
    case "tenancy":
      return compartmentId === directory.rootId ? compartmentId : undefined;
    case "compartment":
      return directory.lineage(location.id).includes(compartmentId) ? location.id : undefined;
    case "compartment-path":
      return below(directory, compartmentId, location.names) ?? itself(directory, compartmentId, location.names);
    default:
      return location satisfies never;
  }
}

function below(directory: Compartments, compartmentId: string, names: readonly string[]): string | undefined {
  let at: string | undefined = compartmentId;
  for (const name of names) at = at === undefined ? undefined : directory.compartmentNamed(at, name)?.id;
  return at;
}

/** As on OCI a policy may call its own compartment by its name; a child of the same name is meant first: it is less. */
function itself(directory: Compartments, compartmentId: string, names: readonly string[]): string | undefined {
  return names.length === 1 && directory.compartment(compartmentId)?.name === names[0] ? compartmentId : undefined;
}

/** Throws `policy-invalid` for the first statement that reaches nothing: for policies that are written now. */
export function requireReach(directory: Compartments, policy: Pick<Policy, "compartmentId" | "statements">): void {
  for (const [index, { location }] of policy.statements.entries()) {
    if (reachOf(directory, policy.compartmentId, location) !== undefined) continue;
    const isTenancy = location.kind === "tenancy";
    const called = location.kind === "compartment-path" ? ` '${location.names.join(":")}'` : "";
    throw new Problem("policy-invalid", {
      where: `Statement ${index + 1}`,
      reason: isTenancy
        ? "'in tenancy' is more than the compartment that the policy is attached to"
        : `there is no compartment${called} in or below the one that the policy is attached to`,
      hint: isTenancy
        ? "Attach the policy to the root compartment, or write: in compartment NAME."
        : "Write the names from there down, divided by colons: in compartment CHILD:GRANDCHILD.",
    });
  }
}
