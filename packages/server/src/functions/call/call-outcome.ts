import { type Problem, problems } from "@chaya/contract";
import type { CallView } from "@chaya/contract/chaya";
import type { InstanceEnd } from "../../drivers/runtime/driver.ts";

/** How a call that ended with this problem is recorded: the function's failures apart from the platform's refusals. */
export function statusOfProblem({ code }: Pick<Problem, "code">): CallView["status"] {
  switch (code) {
    case "function-timed-out":
    case "function-reported-timeout":
      return "timed-out";
    case "client-gone":
      return "cancelled";
    case "instance-start-timed-out":
      return "failed";
    default:
      return problems[code].kind === "failed" ? "failed" : "refused";
  }
}

/** Continues "The function ended before it had answered: …". */
export function describeEnd(end: InstanceEnd): string {
  if (end.signal !== undefined) return `signal ${end.signal}`;
  return end.code === undefined ? "its process is gone" : `exit code ${end.code}`;
}
