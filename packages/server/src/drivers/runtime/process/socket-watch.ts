import { type FSWatcher, lstatSync, readlinkSync, watch } from "node:fs";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import type { Clock, Timer } from "../../../kernel/clock.ts";
import { listenerFile } from "./launch-environment.ts";

export type SocketFound =
  | { readonly kind: "listening"; readonly path: string }
  | { readonly kind: "refused"; readonly how: string };

type Judgement = SocketFound | { readonly kind: "absent" };

/** Where the notifications of the file system fail (other file systems, too many watches), this still finds it. */
const pollMs = 100;
const acceptTurnsMax = 20;

/**
 * Waits for a function's socket in an empty directory; made before the process starts, so nothing is missed.
 * `found` never rejects; it stays pending when nothing comes.
 */
export class SocketWatch implements Disposable {
  readonly found: Promise<SocketFound>;
  readonly #directory: string;
  readonly #resolve: (found: SocketFound) => void;
  readonly #watcher: FSWatcher | undefined;
  readonly #poll: Timer;
  #isClosed = false;
  #isJudging = false;
  #isChanged = false;

  constructor(directory: string, clock: Clock) {
    const { promise, resolve } = Promise.withResolvers<SocketFound>();
    this.found = promise;
    this.#resolve = resolve;
    this.#directory = directory;
    const onChange = () => void this.#judge();
    this.#watcher = watchOrPoll(directory, onChange);
    this.#poll = clock.every(pollMs, onChange);
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#watcher?.close();
    this.#poll.cancel();
  }

  /** One judgement at a time; a change during it asks for another. Never rejects: what fails is the answer. */
  async #judge(): Promise<void> {
    this.#isChanged = true;
    if (this.#isJudging) return;
    this.#isJudging = true;
    while (this.#isChanged && !this.#isClosed) {
      this.#isChanged = false;
      const judgement = await judgeSocket(this.#directory);
      if (judgement.kind === "absent") continue;
      this.#resolve(judgement);
      this[Symbol.dispose]();
    }
    this.#isJudging = false;
  }
}

/** undefined: the system has no watch left to give. */
function watchOrPoll(directory: string, onChange: () => void): FSWatcher | undefined {
  try {
    return watch(directory, onChange).on("error", onChange);
  } catch {
    return undefined;
  }
}

/**
 * Fn's rule: `lsnr.sock` is a socket, or a symbolic link to one by its bare name in the same directory. Stricter than
 * Fn in one point: the link leads to the socket itself, not to a second link that could lead anywhere.
 * It looks synchronously: three names that were just made cost microseconds, three turns through threads milliseconds.
 */
async function judgeSocket(directory: string): Promise<Judgement> {
  const listener = join(directory, listenerFile);
  try {
    const found = lstatSync(listener);
    if (found.isSocket())
      return (await acceptsSoon(listener)) ? { kind: "listening", path: listener } : { kind: "absent" };
    if (!found.isSymbolicLink()) return refused(`made ${listenerFile}, which is not a socket`);
    const target = readlinkSync(listener);
    if (dirname(target) !== "." || target === ".." || target === ".")
      return refused(`linked ${listenerFile} to '${target}', which is not a bare name`);
    const path = join(directory, target);
    if (!lstatSync(path).isSocket()) return refused(`linked ${listenerFile} to '${target}', which is not a socket`);
    return { kind: "listening", path };
  } catch (error) {
    // FDKs remove old names before they make theirs.
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return { kind: "absent" };
    return refused(`made ${listenerFile}, which cannot be looked at (${String(error)})`);
  }
}

function refused(how: string): SocketFound {
  return { kind: "refused", how: `it ${how}` };
}

/**
 * A socket that was bound directly appears a moment before it listens (a linked one listens already, by Fn's
 * contract), and listening is no change that a watch reports. After some turns the poll goes on.
 */
async function acceptsSoon(path: string): Promise<boolean> {
  for (let turn = 0; turn < acceptTurnsMax; turn++) {
    if (await accepts(path)) return true;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return false;
}

function accepts(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
