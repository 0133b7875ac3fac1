import { accessProblems } from "./problems/access-problems.ts";
import { callProblems } from "./problems/call-problems.ts";
import { credentialProblems } from "./problems/credential-problems.ts";
import { httpProblems } from "./problems/http-problems.ts";
import { identityProblems } from "./problems/identity-problems.ts";
import { recordProblems } from "./problems/record-problems.ts";
import { storageProblems } from "./problems/storage-problems.ts";

/** The one catalogue of problems: code → kind, sentence, hint. Fields are typed by the code. */
export const problems = {
  ...httpProblems,
  ...accessProblems,
  ...credentialProblems,
  ...identityProblems,
  ...recordProblems,
  ...callProblems,
  ...storageProblems,
} as const;

export type ProblemCode = keyof typeof problems;
export type ProblemFields<Code extends ProblemCode> = Parameters<(typeof problems)[Code]["sentence"]>[0];
