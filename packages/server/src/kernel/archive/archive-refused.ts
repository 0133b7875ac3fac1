/** An archive that is not acceptable: the fault of whoever made it or of the disk it lay on, never of the platform. */
export class ArchiveRefused extends Error {
  override readonly name = "ArchiveRefused";
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.reason);
    this.refusal = refusal;
  }
}

/** `reason` is a clause without a full stop that names the entry at fault. */
export type Refusal =
  | { readonly kind: "invalid"; readonly reason: string }
  /** `what` may be at most `max`. */
  | { readonly kind: "too-large"; readonly reason: string; readonly what: string; readonly max: number }
  /** The bytes are not those that were announced. */
  | { readonly kind: "damaged"; readonly reason: string };

export function refuse(reason: string): ArchiveRefused {
  return new ArchiveRefused({ kind: "invalid", reason });
}

export function refuseTooLarge(what: string, max: number): ArchiveRefused {
  return new ArchiveRefused({ kind: "too-large", reason: `${what} may be at most ${max}`, what, max });
}
