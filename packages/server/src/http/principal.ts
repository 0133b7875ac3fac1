/** Who asks. */
export interface Principal {
  /**
   * administrator: the user who started the server, with `--auth none` · user: of the platform · resource: a function,
   * by its resource principal · anonymous: nobody said who.
   */
  readonly kind: "administrator" | "user" | "resource" | "anonymous";
  /** Of the user or the function; the kind's own word for the other two. */
  readonly id: string;
  /** For people and logs. */
  readonly name: string;
}

export const administrator: Principal = { kind: "administrator", id: "administrator", name: "administrator" };
export const anonymous: Principal = { kind: "anonymous", id: "anonymous", name: "anonymous" };

/** A principal whose request has passed a door. */
export interface Admitted {
  readonly principal: Principal;
  /**
   * SHA-256 in base64 that the client signed for the body. Whoever reads the body compares before anything comes of it,
   * and throws `body-digest-wrong`.
   */
  readonly bodySha256?: string | undefined;
}
