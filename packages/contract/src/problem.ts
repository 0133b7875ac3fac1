import { type OciProblem, ociKinds } from "./oci/oci-problem.ts";
import { type ProblemKind, problemStatus } from "./problem-status.ts";
import type { ProblemEntry } from "./problems/problem-entry.ts";
import { type ProblemCode, type ProblemFields, problems } from "./problems.ts";

type FieldsArgument<Code extends ProblemCode> = keyof ProblemFields<Code> extends never
  ? [fields?: ProblemFields<Code>, options?: ProblemOptions]
  : [fields: ProblemFields<Code>, options?: ProblemOptions];

export interface ProblemOptions {
  readonly cause?: unknown;
  /** How long the caller should wait before it tries again; becomes Retry-After. */
  readonly retryAfterMs?: number;
}

/** An answer that says no: something the caller can know about. Everything else that is thrown is a bug. */
export class Problem<Code extends ProblemCode = ProblemCode> extends Error {
  override readonly name = "Problem";
  readonly code: Code;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly hint: string;
  readonly retryAfterMs: number | undefined;

  constructor(code: Code, ...[fields, options]: FieldsArgument<Code>) {
    // The catalogue types each entry by its code; a union of codes loses that pairing inside this class.
    const entry = problems[code] as (typeof problems)["internal"];
    const known = (fields ?? {}) as ProblemFields<"internal">;
    super(entry.sentence(known), options?.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.fields = known;
    this.hint = entry.hint(known);
    this.retryAfterMs = options?.retryAfterMs;
  }

  get kind(): ProblemKind {
    return problems[this.code].kind;
  }

  get status(): number {
    return problemStatus[this.kind];
  }

  /** The text Fn's clients expect for this problem; our own sentence where Fn has none. */
  get fnMessage(): string {
    const entry = problems[this.code] as (typeof problems)["internal"];
    return entry.fn === undefined ? this.message : entry.fn(this.fields as ProblemFields<"internal">);
  }

  /** What OCI's services say for this problem; with our own sentence where they have no text of their own. */
  get oci(): OciProblem {
    const entry: ProblemEntry<ProblemFields<"internal">> = problems[this.code] as (typeof problems)["internal"];
    const { oci } = entry;
    const known = this.fields as ProblemFields<"internal">;
    const kind = ociKinds[entry.kind];
    if (oci === undefined) return { ...kind, message: kind.message ?? this.message };
    return { code: oci.code, status: oci.status ?? kind.status, message: oci.sentence?.(known) ?? this.message };
  }
}

export function isProblem<Code extends ProblemCode>(error: unknown, code?: Code): error is Problem<Code> {
  return error instanceof Problem && (code === undefined || error.code === code);
}
