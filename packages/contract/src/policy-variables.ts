import type { OcidType } from "./oci/ocid.ts";

export interface PolicyVariable {
  /** Present when the value is an OCID: of what. */
  readonly ids?: readonly OcidType[];
  /** Present when nothing else is ever in it. */
  readonly values?: readonly string[];
  /** In which requests it is there, as in `of users`. */
  readonly present: string;
  readonly meaning: string;
}

const compartment = ["compartment", "tenancy"] as const;

/**
 * What the conditions of access policies may ask about, by its name. Names of OCI where OCI has the variable.
 * Source: OCI documentation, "Policy Reference": general variables, details for IAM, Functions and Object Storage.
 */
export const policyVariables = {
  "request.operation": { present: "all", meaning: "the operation, as in the table above" },
  "request.region": { present: "all", meaning: "the server's region: its id or Oracle's three-letter key" },
  "request.user.id": { ids: ["user"], present: "of users", meaning: "who asks" },
  "request.user.name": { present: "of users", meaning: "the user's name" },
  "request.groups.id": { ids: ["group"], present: "of users", meaning: "the user's groups; `=` holds if one is it" },
  "request.principal.type": {
    values: ["user", "fnfunc"],
    present: "all",
    meaning: "what kind of thing asks",
  },
  "request.principal.id": { ids: ["user", "fnfunc"], present: "all", meaning: "the user or function" },
  "request.principal.compartment.id": { ids: compartment, present: "of functions", meaning: "where the function lies" },
  "target.compartment.id": { ids: compartment, present: "all", meaning: "the compartment asked in" },
  "target.compartment.name": { present: "all", meaning: "its name" },
  "target.app.id": { ids: ["fnapp"], present: "about an application or what is in it", meaning: "the application" },
  "target.app.name": { present: "about an application or what is in it", meaning: "its name" },
  "target.function.id": { ids: ["fnfunc"], present: "about a function or its calls", meaning: "the function" },
  "target.function.name": { present: "about a function or its calls", meaning: "its name" },
  "target.user.id": { ids: ["user"], present: "about a user or its credentials", meaning: "the user" },
  "target.user.name": { present: "about a user or its credentials", meaning: "its name" },
  "target.group.id": { ids: ["group"], present: "about a group or a membership", meaning: "the group" },
  "target.group.name": { present: "about a group or a membership", meaning: "its name" },
  "target.dynamicgroup.id": { ids: ["dynamicgroup"], present: "about a dynamic group", meaning: "the dynamic group" },
  "target.dynamicgroup.name": { present: "about a dynamic group", meaning: "its name" },
  "target.policy.id": { ids: ["policy"], present: "about a policy", meaning: "the policy" },
  "target.policy.name": { present: "about a policy", meaning: "its name" },
  "target.bucket.name": { present: "none yet", meaning: "a bucket" },
  "target.object.name": { present: "none yet", meaning: "an object" },
} as const satisfies Readonly<Record<string, PolicyVariable>>;

export type PolicyVariableName = keyof typeof policyVariables;
