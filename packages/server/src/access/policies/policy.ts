import type { PolicyVerb, ResourceType } from "@chaya/contract";

/** A policy that is in force, with its statements parsed. */
export interface Policy {
  readonly id: string;
  /** What it is attached to: names of compartments are read from here, and it reaches no further up. */
  readonly compartmentId: string;
  readonly name: string;
  readonly statements: readonly Statement[];
}

/** `Allow SUBJECT to VERB RESOURCE in LOCATION where CONDITION`, by the grammar in docs/reference/access-policies.md. */
export interface Statement {
  readonly text: string;
  readonly subject: Subject;
  readonly verb: PolicyVerb;
  readonly resources: ReadonlySet<ResourceType>;
  readonly location: Location;
  readonly condition: Condition | undefined;
}

export type Subject =
  | { readonly kind: "any-user" }
  | { readonly kind: "groups"; readonly names: readonly Named[] }
  | { readonly kind: "dynamic-groups"; readonly names: readonly Named[] };

/** By name, or by id (`id ocid1.…`). */
export type Named = { readonly by: "name"; readonly name: string } | { readonly by: "id"; readonly id: string };

export type Location =
  | { readonly kind: "tenancy" }
  | { readonly kind: "compartment"; readonly id: string }
  /** Below the compartment of the policy, one name a level. */
  | { readonly kind: "compartment-path"; readonly names: readonly string[] };

export type Condition =
  | { readonly kind: "all" | "any"; readonly conditions: readonly Condition[] }
  | {
      readonly kind: "compare";
      /** As in `request.operation`, `target.app.id`. */
      readonly variable: string;
      readonly operator: "=" | "!=";
      readonly value: ConditionValue;
    };

export type ConditionValue =
  /** `'…'`: compared without regard to case. */
  | { readonly kind: "text"; readonly text: string }
  /** `/…/`: `*` stands for anything, at both ends only. */
  | { readonly kind: "pattern"; readonly pattern: string };
