import type { Directory, Tags } from "./model.ts";

/** What dynamic groups know of a function that asks as a principal. */
export interface FunctionFacts {
  readonly type: "fnfunc";
  readonly id: string;
  readonly compartmentId: string;
  readonly tags: Tags;
}

/** From memory; undefined when there is no such function. */
export function factsOf(directory: Directory, functionId: string): FunctionFacts | undefined {
  const record = directory.function(functionId);
  const application = record && directory.application(record.applicationId);
  if (record === undefined || application === undefined) return undefined;
  return { type: "fnfunc", id: functionId, compartmentId: application.compartmentId, tags: record.tags };
}
