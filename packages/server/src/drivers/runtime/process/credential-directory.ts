import { closeSync, fchownSync, openSync, renameSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { assert } from "../../../kernel/assert.ts";
import type { CredentialFiles } from "../driver.ts";

const namePattern = /^[A-Za-z0-9-][A-Za-z0-9.-]*$/;

/** Where the credential files of one instance lie, which only its user may enter. */
export class CredentialDirectory {
  readonly #path: string;
  readonly #uid: number | undefined;

  /** `uid`: of the instance's user, where that is not the server's. */
  constructor(path: string, uid: number | undefined) {
    this.#path = path;
    this.#uid = uid;
  }

  /**
   * Puts each file there whole, in place of one of its name. They are small: it takes tens of microseconds, fewer than
   * the turn through other threads would.
   */
  write(files: CredentialFiles): void {
    for (const [name, text] of Object.entries(files)) {
      assert(namePattern.test(name), "a credential file has a plain name");
      // Beside the directory, so that nobody inside sees one that is not finished.
      const unfinished = join(dirname(this.#path), `${basename(this.#path)}.${name}`);
      const descriptor = openSync(unfinished, "w", 0o600);
      try {
        writeFileSync(descriptor, text);
        if (this.#uid !== undefined) fchownSync(descriptor, this.#uid, this.#uid);
      } finally {
        closeSync(descriptor);
      }
      renameSync(unfinished, join(this.#path, name));
    }
  }
}
