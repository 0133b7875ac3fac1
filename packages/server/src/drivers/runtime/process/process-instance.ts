import { connect } from "node:net";
import type { Duplex } from "node:stream";
import type { CredentialFiles, Instance, InstanceEnd, InstanceSpec, OutputLine } from "../driver.ts";
import type { PinnedSocket } from "./pinned-socket.ts";
import type { PreStartedProcess } from "./pre-started-process.ts";
import type { ProcessGroup } from "./process-group.ts";
import type { InstanceLimiter, ProcessEnd } from "./sandbox/sandbox.ts";

const heapIsFull = "JavaScript heap out of memory";

/** A function in a process that waited for it: its output, its door and its end are this function's from now on. */
export class ProcessInstance implements Instance {
  readonly id: string;
  readonly ended: Promise<InstanceEnd>;
  /** Settles when nothing of it lives any more. */
  readonly gone: Promise<void>;
  /** The process group; also the pid of its first process. */
  readonly pid: number;
  readonly #group: ProcessGroup;
  readonly #door: PreStartedProcess["door"];
  readonly #credentials: PreStartedProcess["credentials"];
  readonly #onLine: (line: OutputLine) => void;
  #limiter: InstanceLimiter | undefined;
  #socket: PinnedSocket | undefined;
  #memoryBytes: number | undefined;
  #isOverMemory = false;
  #saidHeapIsFull = false;

  constructor(process: PreStartedProcess, { spec, isNode }: { readonly spec: InstanceSpec; readonly isNode: boolean }) {
    this.id = spec.instanceId;
    this.#group = process.group;
    this.pid = process.group.group;
    this.gone = process.group.gone;
    this.#door = process.door;
    this.#credentials = process.credentials;
    this.#onLine = spec.onLine;
    process.group.sendLinesTo((line) => {
      if (isNode && line.stream === "stderr") this.#notice(line);
      spec.onLine(line);
    });
    process.door.leadTo(spec.onDoorConnection);
    this.ended = process.group.ended.then((end) => this.#describe(end));
  }

  /** Its limits hold from now on. */
  limitedBy(limiter: InstanceLimiter): void {
    this.#limiter = limiter;
  }

  /** It listens there; the socket is its own from now on. */
  listensAt(socket: PinnedSocket): void {
    this.#socket = socket;
    void this.gone.then(() => socket[Symbol.dispose]());
  }

  /** The platform's own word in the log of the function. */
  note(sentence: string): void {
    this.#onLine({ stream: "platform", bytes: Buffer.from(sentence), isCut: false });
  }

  connect(): Duplex {
    return connect({ path: this.#socket?.path ?? "" });
  }

  async replaceCredentials(files: CredentialFiles): Promise<void> {
    if (this.#group.isEnding) return;
    try {
      await this.#credentials.write(files);
    } catch (error) {
      // Its directory may have gone meanwhile.
      if (!this.#group.isEnding) throw error;
    }
  }

  memoryBytes(): number | undefined {
    return this.#memoryBytes;
  }

  flushOutput(): Promise<void> {
    return this.#group.flushOutput();
  }

  /** Takes a measurement of the group; one beyond `bytesMax` ends it. */
  observeMemory(bytes: number, bytesMax: number): void {
    this.#memoryBytes = bytes;
    if (bytes <= bytesMax || this.#group.isEnding) return;
    this.#isOverMemory = true;
    this.#door.close();
    this.#group.destroyUnasked();
  }

  async destroy(): Promise<void> {
    this.#door.close();
    await this.#group.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.destroy();
  }

  #describe({ code, signal }: ProcessEnd): InstanceEnd {
    const isHeapFull = signal === "SIGABRT" && this.#saidHeapIsFull;
    return {
      code,
      signal,
      isOutOfMemory: this.#isOverMemory || isHeapFull || this.#limiter?.wasOutOfMemory() === true,
    };
  }

  #notice(line: OutputLine): void {
    this.#saidHeapIsFull ||= Buffer.from(line.bytes).includes(heapIsFull);
  }
}
