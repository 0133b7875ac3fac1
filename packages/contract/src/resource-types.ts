/**
 * What access policies speak of. Names of OCI where OCI has the resource; `chaya-…` for what only Chaya has.
 * Source: OCI documentation, "Policy Reference", details for Functions, IAM and Audit.
 */
export const resourceTypes = [
  "fn-app",
  "fn-function",
  "fn-invocation",
  "tenancies",
  "compartments",
  "users",
  "groups",
  "dynamic-groups",
  "policies",
  "audit-events",
  "chaya-nodes",
  "chaya-calls",
  "chaya-logs",
  "chaya-secrets",
] as const;

export type ResourceType = (typeof resourceTypes)[number];

/** Families that a policy may name in place of their members; `all-resources` is every type. */
export const resourceFamilies: Readonly<Record<string, readonly ResourceType[]>> = {
  "all-resources": resourceTypes,
  "functions-family": ["fn-app", "fn-function", "fn-invocation"],
  "chaya-family": ["chaya-nodes", "chaya-calls", "chaya-logs", "chaya-secrets"],
};

/** Each verb includes the ones before it. */
export const policyVerbs = ["inspect", "read", "use", "manage"] as const;

export type PolicyVerb = (typeof policyVerbs)[number];
