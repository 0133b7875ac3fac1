import type { PolicyVerb, ResourceType } from "../../resource-types.ts";

export const base = { dialect: "oci", door: "control" } as const;
export const on = <const V extends PolicyVerb, const R extends ResourceType>(
  action: V,
  resource: R,
  operation: string,
) => ({ action, resource, operation }) as const;
/** Who is in a group concerns the group and the user: the right is needed on both. */
export const onBoth = <const V extends PolicyVerb>(action: V, operation: string) =>
  ({ action, resource: "groups", operation, also: { action, resource: "users" } }) as const;

export const changed = [
  "not-authorized",
  "request-invalid",
  "body-not-json",
  "etag-mismatch",
  "record-changed",
] as const;
export const created = [
  "not-authorized",
  "request-invalid",
  "parameter-missing",
  "body-not-json",
  "identity-exhausted",
  "retry-token-invalidated",
] as const;
export const listed = ["not-authorized", "request-invalid", "parameter-missing", "cursor-invalid"] as const;
export const found = ["not-authorized"] as const;
export const removed = ["not-authorized", "etag-mismatch"] as const;
