import type { ChildProcess } from "node:child_process";
import type { Readable } from "node:stream";
import type { Clock } from "../../../kernel/clock.ts";
import type { Logger } from "../../../kernel/logger.ts";
import type { OutputLine } from "../driver.ts";
import type { Lifeline } from "./lifeline.ts";
import { OutputReader } from "./output-reader.ts";
import type { ProcessWatch } from "./process-watch.ts";
import type { ProcessEnd } from "./sandbox/sandbox.ts";

/** A process that was just spawned, as the leader of a group. */
export interface SpawnedProcess {
  readonly process: ChildProcess;
  /** Its process group; also its pid. */
  readonly group: number;
  readonly stdout: Readable;
  readonly stderr: Readable;
}

/** What all groups of a runtime share. */
export interface GroupKeepers {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly watch: ProcessWatch;
  readonly lifeline: Lifeline;
}

/** What its sandbox knows of a group. */
export interface GroupOwner {
  readonly onLine: (line: OutputLine) => void;
  /** How its program ended, by how its first process did. */
  readonly readEnd: (end: ProcessEnd) => ProcessEnd;
  /** Ends whatever has left the group. */
  readonly leave: () => Promise<void>;
}

const goneCheckMs = 10;
const looksWithoutWaitMax = 20;

/**
 * A process and everything of its process group.
 *
 * runs → (ends by itself | destroy) → the group is killed → gone: no process of it lives. The kernel and the lifeline
 * end it when the server dies.
 */
export class ProcessGroup {
  /** The process group; also the pid of its first process. */
  readonly group: number;
  /** Settles when its first process has ended and what it printed was given out; never rejects. */
  readonly ended: Promise<ProcessEnd>;
  /** Settles when nothing of the group lives any more; never rejects. */
  readonly gone: Promise<void>;
  readonly #process: ChildProcess;
  readonly #keepers: GroupKeepers;
  readonly #output: OutputReader;
  readonly #isGone: () => void;
  readonly #owner: GroupOwner;
  #onLine: (line: OutputLine) => void;
  #ending: Promise<void> | undefined;

  constructor(keepers: GroupKeepers, spawned: SpawnedProcess, owner: GroupOwner) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.gone = promise;
    this.#isGone = resolve;
    this.group = spawned.group;
    this.#process = spawned.process;
    this.#keepers = keepers;
    this.#onLine = owner.onLine;
    this.#owner = owner;
    const { stdout, stderr } = spawned;
    this.#output = new OutputReader({ clock: keepers.clock, stdout, stderr, onLine: (line) => this.#onLine(line) });
    keepers.lifeline.add(this.group);
    this.ended = this.#end();
  }

  get isEnding(): boolean {
    return this.#ending !== undefined;
  }

  /** Lines go there from now on. */
  sendLinesTo(onLine: (line: OutputLine) => void): void {
    this.#onLine = onLine;
  }

  flushOutput(): Promise<void> {
    return this.#output.flush();
  }

  /** Ends it now, with everything it spawned. Resolves when it is gone. */
  destroy(): Promise<void> {
    this.#ending ??= this.#becomeGone();
    return this.#ending;
  }

  /** For whoever cannot wait: a failure is logged. */
  destroyUnasked(): void {
    this.destroy().catch((error: unknown) =>
      this.#keepers.logger.error("a process group could not be ended", { group: this.group, error }),
    );
  }

  #end(): Promise<ProcessEnd> {
    return new Promise((resolve) => {
      this.#process.once("exit", (code, signal) => {
        // At once, while nobody else can have got the number of the group.
        this.destroyUnasked();
        void this.#output
          .flush()
          .then(() => resolve(this.#owner.readEnd({ code: code ?? undefined, signal: signal ?? undefined })));
      });
    });
  }

  async #becomeGone(): Promise<void> {
    killGroup(this.group);
    await this.ended;
    await this.#waitUntilGroupIsGone();
    await this.#owner.leave();
    this.#keepers.lifeline.remove(this.group);
    this.#output.destroy();
    this.#isGone();
  }

  /**
   * The first process has ended; what it started dies of the same signal a moment later. Zombies whose new parent does
   * not collect them keep the group's number but are gone all the same.
   */
  async #waitUntilGroupIsGone(): Promise<void> {
    for (let looks = 0; killGroup(this.group); looks++) {
      const [use] = await this.#keepers.watch.look([this.group]);
      if (use === undefined || use.liveCount === 0) return;
      // A look takes a millisecond or more. What still lives after many (a process that waits for its disk) gets time.
      if (looks >= looksWithoutWaitMax) await this.#keepers.clock.sleep(goneCheckMs);
    }
  }
}

/** false: there is no such group any more. One that took another user's rights is there, though it cannot be killed. */
function killGroup(group: number): boolean {
  try {
    process.kill(-group, "SIGKILL");
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ESRCH") return false;
    if (error instanceof Error && "code" in error && error.code === "EPERM") return true;
    throw error;
  }
}
