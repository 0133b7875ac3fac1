import type { RuntimeAbilities } from "../../driver.ts";
import type { InstanceDirectory } from "../instance-directory.ts";
import type { ProcessWatch } from "../process-watch.ts";

/**
 * What stands between an instance and its machine. A sandbox decides how a process is started and what it finds where;
 * it never starts one itself. What an author's code does wrong inside is a result of the runtime's `start`.
 *
 * enter → spawned → attach (it waits inside) → limit (its function is known) → its first process has ended → leave.
 */
export interface Sandbox extends AsyncDisposable {
  readonly name: "none" | "bubblewrap";
  readonly abilities: RuntimeAbilities;
  /** Sentences for `chaya doctor` and the start of the server: what holds here, and what does not and why. */
  readonly explanation: readonly string[];
  /** Whether an instance has a loopback of its own, so that its door must be opened from inside. */
  readonly hasOwnLoopback: boolean;
  /** Why no instance may have the network here, and what to do about it; undefined: it may. */
  readonly outboundRefusal: string | undefined;
  /** Hold the control groups of all instances: whoever outlives the server ends what is in them. */
  readonly controlGroups: readonly string[];
  /** Directories inside whose files are memory that no control group counts. */
  readonly memoryDirectories: readonly string[];
  /**
   * How a process is started for this place. Makes nothing on disk. The process must be spawned without anything of the
   * function in its environment: the prefix runs outside.
   */
  enter(place: SandboxPlace): SandboxEntry;
  /** Makes what a place needs from outside once its process waits inside; long before its function is known. */
  attach(pid: number, place: SandboxPlace): Promise<void>;
  /**
   * Puts limits on a process that waits inside, before any code of the function runs. `pid` is the process that was
   * spawned.
   */
  limit(pid: number, limits: InstanceLimits): Promise<InstanceLimiter>;
  /** How the program inside ended, by how the process that was spawned did. */
  readEnd(end: ProcessEnd): ProcessEnd;
  /**
   * Ends whatever of the instance still runs after its process group has, and takes away what was made for it. Resolves
   * when nothing of it lives; `watch` finds what the sandbox itself cannot name.
   */
  leave(instance: InstanceDirectory, watch: ProcessWatch): Promise<void>;
}

export interface ProcessEnd {
  readonly code: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
}

/** What an instance is made of on this machine. */
export interface SandboxPlace {
  readonly instance: InstanceDirectory;
  /** The code, or the directory that it will be put into once the function is known. */
  readonly codeDirectory: string;
  /** Its own alone, empty until the function is known; given to its user. */
  readonly credentialsDirectory: string;
  readonly network: "none" | "outbound";
  /** Files and directories of the platform that the instance needs beside the system's own: Node, the FDKs. */
  readonly readable: readonly string[];
}

export interface SandboxEntry {
  /** The words that come before the program to run inside and its arguments; may be empty. */
  readonly prefix: readonly string[];
  /** Open files that the prefix reads, to be handed over under these numbers of the child. */
  readonly descriptors: ReadonlyMap<number, number>;
  /** The same places as seen from inside. */
  readonly codeDirectory: string;
  readonly credentialsDirectory: string;
  readonly socketDirectory: string;
  readonly temporaryDirectory: string;
  /** Where something that is `readable` is inside; every other path is the same there. */
  readonly pathOf: (path: string) => string;
  /** Who the instance is to this machine, where that is somebody else than the server. */
  readonly uid?: number;
  /** What the instance calls its machine, where that is its own. */
  readonly hostName?: string;
}

export interface InstanceLimits {
  readonly memoryMiB: number;
  readonly processesMax: number;
  /** Cores; fractions are allowed. */
  readonly cpus: number;
}

export interface InstanceLimiter extends AsyncDisposable {
  /** Where this machine finds the socket directory, when it is not where the instance's directory has it. */
  readonly socketDirectory: string | undefined;
  /** Whether the kernel itself enforces the memory limit; else the runtime's sweep does. */
  readonly limitsMemory: boolean;
  /** Whether the kernel ended something of it for want of memory. */
  readonly wasOutOfMemory: () => boolean;
}
