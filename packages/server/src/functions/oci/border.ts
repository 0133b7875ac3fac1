import { idOf, ocidOf } from "@chaya/contract/oci";
import type { HasCompartment } from "../../seams.ts";
import type { HandlerDeps } from "../handlers/handler-deps.ts";

export interface OciDeps extends HandlerDeps {
  /** As OCIDs that are given out name it; those that come in may name any. */
  readonly region: string;
  readonly hasCompartment: HasCompartment;
}

/** The root compartment has the OCID of the tenancy; either is understood for either. */
export function compartmentIdOf(text: string): string | undefined {
  return idOf("compartment", text) ?? idOf("tenancy", text);
}

export function compartmentOcid(deps: OciDeps, id: string): string {
  return ocidOf(id === deps.compartmentId ? "tenancy" : "compartment", id, deps.region);
}

export function applicationOcid(deps: OciDeps, id: string): string {
  return ocidOf("fnapp", id, deps.region);
}

export function functionOcid(deps: OciDeps, id: string): string {
  return ocidOf("fnfunc", id, deps.region);
}

/** What no record can have: where an OCID of another type stands, nothing is found. */
const noId = "";

export function applicationIdOf(text: string): string {
  return idOf("fnapp", text) ?? noId;
}

export function functionIdOf(text: string): string {
  return idOf("fnfunc", text) ?? noId;
}

/** Where something is asked for in a compartment: that which does not exist is asked for in the root. */
export function placeIn({ places, hasCompartment }: OciDeps, text: string) {
  const id = compartmentIdOf(text);
  return id !== undefined && hasCompartment(id) ? { compartmentId: id } : places.root;
}
