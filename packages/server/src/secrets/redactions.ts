import { limits } from "@chaya/contract";
import { BytePatterns } from "./byte-patterns.ts";
import { secretForms } from "./secret-forms.ts";

/** Values an application had before are hidden too, the newest of them: instances started earlier still know them. */
const formerValuesMax = 100;

/** The values that must not be shown, by application. Knows what this process has read since it was started. */
export class Redactions {
  readonly #known = new Map<string, KnownValues>();
  /** Applications that were gone in the last round: their instances have ended since. */
  readonly #gone = new Set<string>();

  /** `values` are all that the application has now. */
  remember(applicationId: string, values: readonly string[]): void {
    const known = this.#known.get(applicationId);
    if (known !== undefined) known.replace(values);
    else if (values.length > 0) this.#known.set(applicationId, new KnownValues(values));
  }

  /** Gives the same bytes back when there is nothing to hide. */
  redact(applicationId: string, bytes: Uint8Array): Uint8Array {
    return this.#known.get(applicationId)?.hide(bytes) ?? bytes;
  }

  /** Call it in rounds of more than the time a call may take: what is gone for two of them is forgotten. */
  forgetGone(exists: (applicationId: string) => boolean): void {
    for (const applicationId of this.#known.keys()) {
      if (exists(applicationId)) this.#gone.delete(applicationId);
      else if (!this.#gone.delete(applicationId)) this.#gone.add(applicationId);
      else this.#known.delete(applicationId);
    }
  }
}

class KnownValues {
  #current: ReadonlySet<string>;
  /** Oldest first. */
  #former: readonly string[] = [];
  /** Made when they are needed first. */
  #patterns: BytePatterns | undefined;

  constructor(values: readonly string[]) {
    this.#current = new Set(values);
  }

  replace(values: readonly string[]): void {
    const current = new Set(values);
    const replaced = [...this.#current].filter((value) => !current.has(value));
    if (replaced.length === 0 && current.size === this.#current.size) return;
    const former = this.#former.filter((value) => !current.has(value));
    this.#former = [...former, ...replaced].slice(-formerValuesMax);
    this.#current = current;
    this.#patterns = undefined;
  }

  hide(bytes: Uint8Array): Uint8Array {
    this.#patterns ??= new BytePatterns([...this.#current, ...this.#former].flatMap(secretForms));
    // Lines and inputs are cut before they come here, at these lengths or larger ones.
    return this.#patterns.hide(bytes, { isMaybeCut: bytes.length >= limits.logLineBytesMax });
  }
}
