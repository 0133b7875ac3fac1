import type { ChildProcess } from "node:child_process";
import { connect } from "node:net";
import type { Duplex, Readable } from "node:stream";
import type { Clock } from "../../../kernel/clock.ts";
import type { Logger } from "../../../kernel/logger.ts";
import type { Instance, InstanceEnd, OutputLine } from "../driver.ts";
import type { Lifeline } from "./lifeline.ts";
import { OutputReader } from "./output-reader.ts";
import type { ProcessWatch } from "./process-watch.ts";

/** A process that was just spawned. */
export interface InstanceProcess {
  readonly process: ChildProcess;
  /** Its process group; also its pid. */
  readonly group: number;
  readonly stdout: Readable;
  readonly stderr: Readable;
}

/** What all instances of a runtime share. */
export interface InstanceKeepers {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly watch: ProcessWatch;
  readonly lifeline: Lifeline;
}

const heapIsFull = "JavaScript heap out of memory";
const goneCheckMs = 10;
const looksWithoutWaitMax = 20;

/**
 * A function's process and everything of its process group.
 *
 * runs → (ends by itself | destroy) → the group is killed → gone: no process of it lives, and `on.gone` is told.
 * The kernel and the lifeline end it when the server dies; the next server removes the directory.
 */
export class ProcessInstance implements Instance {
  readonly id: string;
  readonly ended: Promise<InstanceEnd>;
  /** The process group; also the pid of its first process. */
  readonly group: number;
  readonly #process: ChildProcess;
  readonly #keepers: InstanceKeepers;
  readonly #output: OutputReader;
  readonly #onGone: () => void;
  #socketPath = "";
  #memoryBytes: number | undefined;
  #isOverMemory = false;
  #saidHeapIsFull = false;
  #gone: Promise<void> | undefined;

  constructor(
    keepers: InstanceKeepers,
    started: InstanceProcess & { readonly id: string; readonly isNode: boolean },
    on: { readonly line: (line: OutputLine) => void; readonly gone: () => void },
  ) {
    this.id = started.id;
    this.group = started.group;
    this.#process = started.process;
    this.#keepers = keepers;
    this.#onGone = on.gone;
    this.#output = new OutputReader({
      clock: keepers.clock,
      stdout: started.stdout,
      stderr: started.stderr,
      onLine: (line) => {
        if (started.isNode && line.stream === "stderr") this.#notice(line);
        on.line(line);
      },
    });
    keepers.lifeline.add(this.group);
    this.ended = this.#end();
  }

  /** It listens there. */
  listensAt(socketPath: string): void {
    this.#socketPath = socketPath;
  }

  connect(): Duplex {
    return connect({ path: this.#socketPath });
  }

  memoryBytes(): number | undefined {
    return this.#memoryBytes;
  }

  flushOutput(): Promise<void> {
    return this.#output.flush();
  }

  /** Takes a measurement of the group; one beyond `bytesMax` ends it. */
  observeMemory(bytes: number, bytesMax: number): void {
    this.#memoryBytes = bytes;
    if (bytes <= bytesMax || this.#gone !== undefined) return;
    this.#isOverMemory = true;
    this.#destroyUnasked();
  }

  destroy(): Promise<void> {
    this.#gone ??= this.#becomeGone();
    return this.#gone;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.destroy();
  }

  #end(): Promise<InstanceEnd> {
    return new Promise((resolve) => {
      this.#process.once("exit", (code, signal) => {
        // At once, while nobody else can have got the number of the group.
        this.#destroyUnasked();
        void this.#output.flush().then(() =>
          resolve({
            code: code ?? undefined,
            signal: signal ?? undefined,
            isOutOfMemory: this.#isOverMemory || (signal === "SIGABRT" && this.#saidHeapIsFull),
          }),
        );
      });
    });
  }

  /** Nobody awaits this end; whoever asks for it later gets the same one. */
  #destroyUnasked(): void {
    this.destroy().catch((error: unknown) =>
      this.#keepers.logger.error("an instance could not be ended", { instance: this.id, error: String(error) }),
    );
  }

  async #becomeGone(): Promise<void> {
    killGroup(this.group);
    await this.ended;
    await this.#waitUntilGroupIsGone();
    this.#keepers.lifeline.remove(this.group);
    this.#output.destroy();
    this.#onGone();
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

  #notice(line: OutputLine): void {
    this.#saidHeapIsFull ||= Buffer.from(line.bytes).includes(heapIsFull);
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
