/** Where a secret belongs: its place is part of what is sealed, so that no row can stand in for another. */
export interface SecretPlace {
  readonly applicationId: string;
  /** Empty: for every function of the application. */
  readonly functionId: string;
  readonly name: string;
}

/** A secret as everyone may see it. */
export interface Secret extends SecretPlace {
  readonly id: string;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

export interface SealedSecret extends SecretPlace {
  readonly id: string;
  /** What `sealValue` made. */
  readonly sealed: Uint8Array;
}
