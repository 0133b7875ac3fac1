import { type None, problem } from "./problem-entry.ts";

/** OCI's two texts: whether something is not there, or there and wrong. */
const notProvided = () => "The required information to complete authentication was not provided.";
const incomplete = { code: "NotAuthenticated", sentence: notProvided };

/** Of who asks. What was presented is never told to be nearly right: an unknown key looks like a wrong signature. */
export const credentialProblems = {
  "credentials-missing": problem<None>({
    kind: "unauthenticated",
    sentence: () => "This needs credentials, and the request has none.",
    hint: () => "Send Authorization: Bearer TOKEN (the CLI reads CHAYA_TOKEN), or sign the request with an API key.",
    oci: incomplete,
  }),
  "credentials-invalid": problem<None>({
    kind: "unauthenticated",
    sentence: () => "The credentials that were presented are not accepted here.",
    hint: () => "The key or token may be mistyped, deleted or expired, its user blocked, or the signature another's.",
  }),
  "signature-incomplete": problem<{ missing: string }>({
    kind: "unauthenticated",
    sentence: (f) => `The request's signature leaves out ${f.missing}.`,
    hint: () =>
      "Sign (request-target), host and date or x-date; with POST, PUT and PATCH also content-type, content-length and x-content-sha256.",
    oci: incomplete,
  }),
  "signature-malformed": problem<{ reason: string }>({
    kind: "unauthenticated",
    sentence: (f) => `The request's signature cannot be read: ${f.reason}.`,
    hint: () =>
      'Authorization: Signature version="1",keyId="TENANCY/USER/FINGERPRINT",algorithm="rsa-sha256",headers="…",signature="…"',
  }),
  "signature-date-off": problem<{ skewMsMax: number }>({
    kind: "unauthenticated",
    sentence: (f) => `The signed date is more than ${f.skewMsMax / 60_000} minutes from this server's time.`,
    hint: () => "Set the clock of the client; the Date of this answer is the server's.",
  }),
  "body-digest-wrong": problem<None>({
    kind: "unauthenticated",
    sentence: () => "The body is not the one that was signed.",
    hint: () => "Send the bytes whose SHA-256 stands in x-content-sha256.",
  }),
  "login-token-invalid": problem<None>({
    kind: "unauthenticated",
    sentence: () => "This login link was used, has expired, or was never given out.",
    hint: () => "Ask for another; a link is good for one login within 10 minutes.",
  }),
  "logins-exhausted": problem<None>({
    kind: "exhausted",
    sentence: () => "Too many logins failed lately.",
    hint: () => "Ask for a new login link; a good one is taken even now.",
  }),
  "session-missing": problem<None>({
    kind: "not-found",
    sentence: () => "The request was not made with a session.",
    hint: () => "Sessions begin with a login link; other tokens are deleted where they were made.",
  }),
} as const;
