import { isProblem, Problem } from "@chaya/contract";
import type { Store } from "../drivers/store/driver.ts";
import type { MainTables } from "../drivers/store/tables.ts";
import type { Logger } from "../kernel/logger.ts";
import { readSealedSecrets } from "./records/secrets.ts";
import type { Redactions } from "./redactions.ts";
import { openValue } from "./sealed-value.ts";
import type { SecretKey } from "./secret-key.ts";

export interface SecretValuesDeps {
  readonly store: Store<MainTables>;
  readonly logger: Logger;
  readonly key: SecretKey;
  readonly redactions: Redactions;
}

/**
 * Opens secrets. They are read from the store each time: an instance that starts because a secret changed may ask before
 * this service was told of the change, and a cached value would be the old one.
 */
export class SecretValues {
  readonly #deps: SecretValuesDeps;

  constructor(deps: SecretValuesDeps) {
    this.#deps = deps;
  }

  /**
   * The function's own over the application's. From then on every value of the application is redacted.
   * Throws `secrets-key-unfit`, `secrets-key-differs`, `secret-unreadable`.
   */
  async read(applicationId: string, functionId: string): Promise<Readonly<Record<string, string>>> {
    const opened = await this.#open(applicationId);
    const values = new Map<string, string>();
    for (const place of ["", functionId]) {
      for (const { secret, value } of opened) {
        if (secret.functionId !== place) continue;
        if (value === undefined) throw new Problem("secret-unreadable", { secret: secret.name });
        values.set(secret.name, value);
      }
    }
    return Object.fromEntries(values);
  }

  /** Makes sure that the newest values are redacted, even before an instance knows them. */
  async follow(applicationId: string): Promise<void> {
    try {
      await this.#open(applicationId);
    } catch (error) {
      if (!isProblem(error)) throw error;
      // Nothing else waits for it: before an instance can know these values, they are read again.
      this.#deps.logger.warn("changed secrets could not be read", { applicationId, error });
    }
  }

  async #open(applicationId: string) {
    const { store, key, redactions } = this.#deps;
    const secrets = await readSealedSecrets(store, applicationId);
    const keyNow = secrets.length === 0 ? undefined : await key.forOpening();
    const opened = secrets.map((secret) => ({ secret, value: keyNow && openValue(keyNow, secret) }));
    redactions.remember(
      applicationId,
      opened.flatMap(({ value }) => (value === undefined ? [] : [value])),
    );
    return opened;
  }
}
