import type { ProblemKind } from "../problem-status.ts";

export interface ProblemEntry<Fields> {
  readonly kind: ProblemKind;
  /** One sentence: what is wrong. */
  readonly sentence: (fields: Fields) => string;
  /** What the reader can do about it. */
  readonly hint: (fields: Fields) => string;
  /** The message Fn gives for the same thing, where Fn has one (its clients compare the text). */
  readonly fn?: (fields: Fields) => string;
  /** What OCI says for it, where that is not what it says of the whole kind. */
  readonly oci?: OciWords<Fields>;
}

export interface OciWords<Fields> {
  readonly code: string;
  /** That of the kind when absent. */
  readonly status?: number;
  /** OCI's text, where it has one that clients may know; our sentence otherwise. */
  readonly sentence?: (fields: Fields) => string;
}

export type None = Record<never, never>;

export function problem<Fields = None>(entry: ProblemEntry<Fields>): ProblemEntry<Fields> {
  return entry;
}

/** What Fn says of everything that has no room now. */
export const tooBusy = () => "Timed out - server too busy";
