export { statusOfProblem } from "./call/call-outcome.ts";
export { corsHeadersDefault } from "./cors.ts";
export { createFunctionRecords, type FunctionRecords } from "./function-records.ts";
export { createInvocation, type Invocation, type InvocationDeps } from "./invocation.ts";
export { factsOf } from "./resource-facts.ts";
