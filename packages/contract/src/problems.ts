import { callProblems } from "./problems/call-problems.ts";
import { httpProblems } from "./problems/http-problems.ts";
import { recordProblems } from "./problems/record-problems.ts";
import { storageProblems } from "./problems/storage-problems.ts";

/** The one catalogue of problems: code → kind, sentence, hint. Fields are typed by the code. */
export const problems = { ...httpProblems, ...recordProblems, ...callProblems, ...storageProblems } as const;

export type ProblemCode = keyof typeof problems;
export type ProblemFields<Code extends ProblemCode> = Parameters<(typeof problems)[Code]["sentence"]>[0];
