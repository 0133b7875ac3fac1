import { type None, problem } from "./problem-entry.ts";

/** Of users, groups, compartments, policies and credentials. The codes for OCI are those its Identity service gives. */
export const identityProblems = {
  "compartment-exists": problem<{ compartment: string }>({
    kind: "conflict",
    sentence: (f) => `A compartment named '${f.compartment}' exists already in the same compartment.`,
    hint: () => "Choose another name; list them with: chaya access compartments list",
    oci: { code: "CompartmentAlreadyExists" },
  }),
  "compartment-misplaced": problem<{ reason: string }>({
    kind: "conflict",
    sentence: (f) => `The compartment cannot go there: ${f.reason}.`,
    hint: () => "Choose a place outside of it, not too deep in the tree.",
  }),
  "user-exists": problem<{ what: "name" | "email"; user: string }>({
    kind: "conflict",
    sentence: (f) => `A user with the ${f.what} '${f.user}' exists already.`,
    hint: () => "Choose another one; list them with: chaya access users list",
    oci: { code: "UserAlreadyExists" },
  }),
  "group-exists": problem<{ group: string }>({
    kind: "conflict",
    sentence: (f) => `A group or dynamic group named '${f.group}' exists already.`,
    hint: () => "Choose another name; list them with: chaya access groups list",
    oci: { code: "GroupAlreadyExists" },
  }),
  "membership-exists": problem<None>({
    kind: "conflict",
    sentence: () => "The user is in this group already.",
    hint: () => "There is nothing left to do.",
  }),
  "policy-exists": problem<{ policy: string }>({
    kind: "conflict",
    sentence: (f) => `A policy named '${f.policy}' exists already in this tenancy.`,
    hint: () => "Choose another name, or update the existing one.",
    oci: { code: "PolicyAlreadyExists" },
  }),
  "api-key-exists": problem<{ fingerprint: string }>({
    kind: "conflict",
    sentence: (f) => `The user has the key ${f.fingerprint} already.`,
    hint: () => "Use it as it is, or upload another one.",
    oci: { code: "ApiKeyAlreadyExists" },
  }),
  "public-key-invalid": problem<{ reason: string }>({
    kind: "invalid",
    sentence: (f) => `This is no key that can be added: ${f.reason}.`,
    hint: () => "Send an RSA public key of at least 2048 bits as PEM: openssl rsa -pubout -in key.pem",
  }),
  "identity-in-use": problem<{ what: string; holds: string }>({
    kind: "conflict",
    sentence: (f) => `The ${f.what} cannot be deleted: ${f.holds}.`,
    hint: () => "Remove that first.",
  }),
  "identity-built-in": problem<{ what: string }>({
    kind: "conflict",
    sentence: (f) => `${f.what} belongs to the platform and stays as it is.`,
    hint: () => "Without it nobody could administer the tenancy.",
  }),
  "identity-exhausted": problem<{ what: string; countMax: number }>({
    kind: "exhausted",
    sentence: (f) => `There are ${f.countMax} ${f.what} already, which is the limit.`,
    hint: () => "Delete one that is not needed any more.",
    // Not the status of the kind: OCI's SDKs wait and repeat what they are told with 429.
    oci: { code: "LimitExceeded", status: 400 },
  }),
  "retry-token-invalidated": problem<None>({
    kind: "conflict",
    sentence: () => "What the first request with this opc-retry-token made is gone.",
    hint: () => "Send the request with a new token.",
    oci: { code: "InvalidatedRetryToken" },
  }),
} as const;
