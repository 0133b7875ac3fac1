// Hot path: ARCHITECTURE, hot-path rules.
import { type PolicyVerb, policyVerbs, type ResourceType, type RouteAuth } from "@chaya/contract";
import type { Place } from "../../http/authorize.ts";
import type { AccessDirectory } from "../model.ts";
import type { Holds } from "./compile-condition.ts";

/** What a statement gives one principal. */
export interface Grant {
  readonly resources: ReadonlySet<ResourceType>;
  readonly verb: PolicyVerb;
  /** A compartment; everything below it is reached as well. */
  readonly reach: string;
  readonly holds: Exclude<Holds, false>;
}

/** What one principal may do: in a place, or in any place at all. */
export type Rights = (auth: RouteAuth, place: Place | "anywhere") => boolean;

export const noRights: Rights = () => false;

/** What grants come to for one resource type. */
interface Granted {
  /** The highest level without a condition; -1 for none. */
  readonly level: number;
  readonly conditional: readonly { readonly level: number; readonly holds: Exclude<Holds, boolean> }[];
}

interface OfResource {
  readonly grants: readonly Grant[];
  readonly anywhere: Granted;
  readonly inCompartments: Map<string, Granted>;
}

/** Works out what grants come to, as it is asked for; good for as long as the directory does not change. */
export function rightsOf(grants: readonly Grant[], directory: AccessDirectory): Rights {
  const resources = new Map<ResourceType, OfResource>();
  return (auth, place) => {
    let ofResource = resources.get(auth.resource);
    if (ofResource === undefined) {
      const own = grants.filter(({ resources }) => resources.has(auth.resource));
      ofResource = { grants: own, anywhere: granted(own), inCompartments: new Map() };
      resources.set(auth.resource, ofResource);
    }
    if (place === "anywhere") return includes(ofResource.anywhere, auth, undefined);
    const there = ofResource.inCompartments.get(place.compartmentId);
    return includes(there ?? grantedIn(ofResource, place.compartmentId, directory), auth, place);
  };
}

function grantedIn({ grants, inCompartments }: OfResource, compartmentId: string, directory: AccessDirectory): Granted {
  const lineage = directory.lineage(compartmentId);
  const there = granted(grants.filter(({ reach }) => lineage.includes(reach)));
  // What is no compartment is not kept: there could be any number of them.
  if (lineage.length > 0) inCompartments.set(compartmentId, there);
  return there;
}

function granted(grants: readonly Grant[]): Granted {
  let level = -1;
  const conditional: { level: number; holds: Exclude<Holds, boolean> }[] = [];
  for (const { verb, holds } of grants) {
    if (holds === true) level = Math.max(level, levels[verb]);
    else conditional.push({ level: levels[verb], holds });
  }
  return { level, conditional: conditional.filter((grant) => grant.level > level) };
}

function includes(
  { level, conditional }: Granted,
  { action, operation }: RouteAuth,
  place: Place | undefined,
): boolean {
  const needed = levels[action];
  if (level >= needed) return true;
  for (const grant of conditional) if (grant.level >= needed && grant.holds(operation, place)) return true;
  return false;
}

/** Each verb includes those of lower levels. */
const levels = Object.fromEntries(policyVerbs.map((verb, level) => [verb, level])) as Readonly<
  Record<PolicyVerb, number>
>;
