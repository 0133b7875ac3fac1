import { renameSync, writeFileSync } from "node:fs";
import { chown, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { assert } from "../../../kernel/assert.ts";
import type { CredentialFiles } from "../driver.ts";

const namePattern = /^[A-Za-z0-9-][A-Za-z0-9.-]*$/;
/** As many as an instance usually has. */
const blanksMade = 2;

/**
 * Where the credential files of one instance lie, which only its user may enter. Making a file takes ten times as long
 * as filling one, so some are made with the directory, long before a function waits for them.
 */
export class CredentialDirectory {
  readonly #path: string;
  readonly #uid: number | undefined;
  readonly #blanks: string[] = [];
  #made = 0;

  private constructor(path: string, uid: number | undefined) {
    this.#path = path;
    this.#uid = uid;
  }

  /** `uid`: of the instance's user, where that is not the server's. */
  static async make(path: string, uid: number | undefined): Promise<CredentialDirectory> {
    await mkdir(path, { mode: 0o700 });
    if (uid !== undefined) await chown(path, uid, uid);
    const directory = new CredentialDirectory(path, uid);
    while (directory.#blanks.length < blanksMade) directory.#blanks.push(await directory.#makeBlank());
    return directory;
  }

  /** Puts each file there whole, in place of one of its name. Not twice at the same time. */
  async write(files: CredentialFiles): Promise<void> {
    for (const [name, text] of Object.entries(files)) {
      assert(namePattern.test(name), "a credential file has a plain name");
      const blank = this.#blanks.pop() ?? (await this.#makeBlank());
      // These take microseconds, fewer than their turn through other threads would.
      writeFileSync(blank, text, { flag: "r+" });
      renameSync(blank, join(this.#path, name));
    }
  }

  /** Beside the directory, so that nobody inside sees one that is not finished. */
  async #makeBlank(): Promise<string> {
    const blank = `${this.#path}.${++this.#made}`;
    await writeFile(blank, "", { flag: "wx", mode: 0o600 });
    if (this.#uid !== undefined) await chown(blank, this.#uid, this.#uid);
    return blank;
  }
}
