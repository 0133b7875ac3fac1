import { type None, problem } from "./problem-entry.ts";

/** Of applications, functions, triggers, images, bundles and secrets. */
export const recordProblems = {
  "fn-record-invalid": problem<{ message: string }>({
    kind: "invalid",
    sentence: (f) => f.message,
    hint: () => "Correct the field named and send it again.",
    fn: (f) => f.message,
  }),
  "application-not-found": problem<{ application: string }>({
    kind: "not-found",
    sentence: (f) => `There is no application '${f.application}'.`,
    hint: () => "List them with: chaya apps list",
    fn: () => "App not found",
  }),
  "application-exists": problem<{ application: string }>({
    kind: "conflict",
    sentence: (f) => `An application named '${f.application}' exists already.`,
    hint: () => "Choose another name or update the existing one.",
    fn: () => "App already exists",
    oci: { code: "NotAuthorizedOrResourceAlreadyExists" },
  }),
  "application-not-empty": problem<{ application: string }>({
    kind: "conflict",
    sentence: (f) => `The application '${f.application}' still has functions.`,
    hint: () => "Delete its functions first, or delete both with: chaya apps delete APP",
  }),
  "name-immutable": problem<None>({
    kind: "conflict",
    sentence: () => "A name cannot be changed.",
    hint: () => "Create a new one under the other name and delete this one.",
    fn: () => "Could not update - name is immutable",
  }),
  "function-not-found": problem<{ function: string }>({
    kind: "not-found",
    sentence: (f) => `There is no function '${f.function}'.`,
    hint: () => "List them with: chaya functions list APP",
    fn: () => "Fn not found",
  }),
  "function-exists": problem<{ function: string }>({
    kind: "conflict",
    sentence: (f) => `A function named '${f.function}' exists already in this application.`,
    hint: () => "Choose another name or update the existing one.",
    fn: () => "Fn with specified name already exists",
    oci: { code: "NotAuthorizedOrResourceAlreadyExists" },
  }),
  "trigger-not-found": problem<{ trigger: string }>({
    kind: "not-found",
    sentence: (f) => `There is no trigger '${f.trigger}'.`,
    hint: () => "List them with: chaya triggers list APP",
    fn: () => "Trigger not found",
  }),
  "trigger-exists": problem<{ trigger: string }>({
    kind: "conflict",
    sentence: (f) => `A trigger named '${f.trigger}' exists already on this function.`,
    hint: () => "Choose another name or update the existing one.",
    fn: () => "Trigger already exists",
  }),
  "trigger-source-exists": problem<{ source: string }>({
    kind: "conflict",
    sentence: (f) => `Another trigger of this application has the source '${f.source}' already.`,
    hint: () => "Choose another source.",
    fn: () => "Trigger with the same type and source exists on this app",
  }),
  "related-not-found": problem<{ what: string }>({
    kind: "invalid",
    sentence: (f) => `${f.what} does not exist here, or you may not see it.`,
    hint: () => "Name one that exists, or leave it out.",
    oci: { code: "RelatedResourceNotAuthorizedOrNotFound" },
  }),
  "pbf-listing-not-found": problem<None>({
    kind: "not-found",
    sentence: () => "There are no pre-built functions here.",
    hint: () => "Create functions from an image or with: chaya deploy",
  }),
  "record-changed": problem<None>({
    kind: "conflict",
    sentence: () => "Somebody else changed this at the same moment.",
    hint: () => "Read it again and repeat the change.",
  }),
  "bundle-invalid": problem<{ reason: string }>({
    kind: "invalid",
    sentence: (f) => `The code bundle is not acceptable: ${f.reason}.`,
    hint: () => "A bundle is a gzipped tar of plain files and folders; make one with: chaya deploy",
  }),
  "bundle-too-large": problem<{ what: string; max: number }>({
    kind: "too-large",
    sentence: (f) => `The code bundle is too large: ${f.what} may be at most ${f.max}.`,
    hint: () => "Leave out what the function does not need (.chayaignore, or bundle: true).",
  }),
  "image-not-found": problem<{ image: string }>({
    kind: "not-found",
    sentence: (f) => `'${f.image}' is not among the last images of this function.`,
    hint: () => "List them with: chaya images APP FN",
  }),
  "image-unavailable": problem<{ image: string; reason: string }>({
    kind: "failed",
    sentence: (f) => `Failed to pull image '${f.image}': ${f.reason}`,
    hint: () => "Deploy the code with: chaya deploy --app APP",
    fn: (f) => `Failed to pull image '${f.image}': ${f.reason}`,
    oci: { code: "FunctionInvokeImageNotAvailable", sentence: () => "Failed to pull function image" },
  }),
  "image-damaged": problem<{ image: string; reason: string }>({
    kind: "failed",
    sentence: (f) => `The stored code of '${f.image}' is damaged: ${f.reason}`,
    hint: () => "Deploy again; the damaged copy is never run.",
    fn: (f) => `Failed to pull image '${f.image}': ${f.reason}`,
    oci: { code: "FunctionInvokeImageNotAvailable", sentence: () => "Failed to pull function image" },
  }),
  "secret-not-found": problem<{ secret: string }>({
    kind: "not-found",
    sentence: (f) => `There is no secret '${f.secret}' here.`,
    hint: () => "List them with: chaya secrets list APP",
  }),
  "secret-unreadable": problem<{ secret: string }>({
    kind: "internal",
    sentence: (f) => `The secret '${f.secret}' cannot be opened: it is damaged or was sealed with another key.`,
    hint: () => "Set it again, or restore the key file secrets.key.",
  }),
  "secrets-key-differs": problem<None>({
    kind: "unavailable",
    sentence: () => "This node has another key for secrets than the store's secrets are sealed with.",
    hint: () => "Copy secrets.key from the node that set them into this node's data directory and restart it.",
  }),
  "secrets-key-unfit": problem<{ reason: string }>({
    kind: "internal",
    sentence: (f) => `The key of the secrets cannot be used: ${f.reason}.`,
    hint: () => "Restore secrets.key from a backup or copy it from another node; only the server's user may read it.",
    fn: () => "internal server error",
  }),
  "secrets-exhausted": problem<{ application: string; secretsMax: number }>({
    kind: "exhausted",
    sentence: (f) => `The application '${f.application}' has ${f.secretsMax} secrets already.`,
    hint: () => "Remove one with: chaya secrets unset APP NAME",
  }),
} as const;
