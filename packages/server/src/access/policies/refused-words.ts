import type { Refusal } from "./tokens.ts";

/** What OCI's language has and this one has not, by the word it begins with. */
export const refusedStatements: Readonly<Record<string, Refusal>> = {
  ...between(["define", "endorse", "admit"], "joins tenancies, and one platform is one tenancy"),
  deny: {
    reason: "deny statements are not in this language: rights are granted, never taken away",
    hint: "Narrow the Allow statement with where, or grant less.",
  },
};

function between(words: readonly string[], why: string): Record<string, Refusal> {
  const refusal = (word: string): Refusal => ({ reason: `'${word}' ${why}`, hint: "Leave the statement out." });
  return Object.fromEntries(words.map((word) => [word, refusal(word)]));
}

export const refusedSubjects: Readonly<Record<string, Refusal>> = {
  service: {
    reason: "services of the platform need no policy, and 'service' is not in this language",
    hint: "Leave the statement out; for functions write: dynamic-group NAME.",
  },
  user: {
    reason: "rights are granted to groups, not to single users",
    hint: "Write group NAME, or any-user with: where request.user.id = 'OCID'.",
  },
  resource: {
    reason: "'resource' is not in this language",
    hint: "Write any-user with: where request.principal.id = 'OCID'.",
  },
};

export const refusedVariables: Readonly<Record<string, Refusal>> = {
  "request.permission": {
    reason: "the variable 'request.permission' is not in this language: there are operations and no permissions",
    hint: "Write request.operation = 'OPERATION'.",
  },
};
