import { closeSync, constants, fstatSync, openSync } from "node:fs";

/** open(2), O_PATH: a name for the file itself. Node has no constant for it. */
const pathOnly = 0o10000000;
const procFs = "/proc/self/fd";

/**
 * A socket that a function made, whatever becomes of its name: a link that leads to another socket of this machine in its
 * place would be followed with this server's rights. Systems without such descriptors connect by name.
 */
export class PinnedSocket implements Disposable {
  #path: string;
  readonly #descriptor: number | undefined;

  private constructor(path: string, descriptor: number | undefined) {
    this.#path = path;
    this.#descriptor = descriptor;
  }

  /** To connect to; after disposing there is nothing at it. */
  get path(): string {
    return this.#path;
  }

  /** undefined: there is no socket of that name (any more). */
  static open(path: string): PinnedSocket | undefined {
    if (process.platform !== "linux") return new PinnedSocket(path, undefined);
    let descriptor: number;
    try {
      descriptor = openSync(path, pathOnly | constants.O_NOFOLLOW);
    } catch {
      return undefined;
    }
    if (fstatSync(descriptor).isSocket()) return new PinnedSocket(`${procFs}/${descriptor}`, descriptor);
    closeSync(descriptor);
    return undefined;
  }

  [Symbol.dispose](): void {
    // The number soon belongs to another file, perhaps to another function's socket.
    this.#path = `${procFs}/closed`;
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
  }
}
