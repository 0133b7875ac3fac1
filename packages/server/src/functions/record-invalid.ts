import { Problem } from "@chaya/contract";

/** The answer to a record that cannot be stored; `message` is what Fn's clients print. */
export function recordInvalid(message: string): Problem {
  return new Problem("fn-record-invalid", { message });
}
