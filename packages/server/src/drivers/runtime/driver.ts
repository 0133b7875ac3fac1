import type { Socket } from "node:net";
import type { Duplex, Readable } from "node:stream";

/**
 * A runtime starts an instance of an image, lets the caller talk to it, and stops it.
 *
 * Who is to blame: whatever the function does wrong (ends at start, never listens, makes a wrong socket) and an image
 * that cannot be had is a result of `start`; only a failure of the runtime itself is thrown: `storage-full` when there
 * is no room for an instance, else as a bug.
 */
export interface RuntimeDriver extends AsyncDisposable {
  readonly name: string;
  readonly abilities: RuntimeAbilities;
  /** Sentences: what stands between instances and the machine, and what does not and why. */
  readonly isolationNotes?: readonly string[];
  /** Whether this runtime can start such an image; others answer `image-unavailable`. */
  canRun(image: string): boolean;
  /**
   * Starts an instance and waits until it listens. Aborting ends the start; its process is gone when the promise
   * settles (with `aborted`).
   */
  start(spec: InstanceSpec, signal: AbortSignal): Promise<StartResult>;
  /** Fetches and unpacks what `start` would need; makes the first start fast. */
  prepare(image: string, signal: AbortSignal, likely?: LikelyStart): Promise<PrepareResult>;
  /** Images that no function names any more: the runtime may forget them. */
  forget(images: readonly string[]): Promise<void>;
  /** Absent where nothing is started ahead. */
  readonly readStarts?: () => StartFigures;
}

/** What starts found, since the runtime was opened. */
export interface StartFigures {
  /**
   * ready: a process that waited; all-taken: none was left of its kind; first-of-kind: none of this language, memory and
   * network had been asked for before; none-kept: none ever waits here.
   */
  readonly found: Readonly<Record<"ready" | "all-taken" | "first-of-kind" | "none-kept", number>>;
  /** What the process became then was a program that started anew, as its configuration or its runtime asks for. */
  readonly plain: number;
  /** Processes that wait now. */
  readonly waiting: number;
}

/** What a runtime gets code bundles from: the packed bytes by their SHA-256 in hexadecimal; undefined when there are none. */
export type OpenBundle = (digest: string) => Promise<Readable | undefined>;

export interface RuntimeAbilities {
  /** none: trusted code only. */
  readonly isolation: "none" | "sandbox" | "container";
  /** The memory limit ends the instance rather than the machine. */
  readonly limitsMemory: boolean;
  /** Ends everything the instance spawned, sessions of its own included. */
  readonly endsEscapees: boolean;
  /** Each instance has a network of its own, without anything but its door unless it asks for more; absent: it shares ours. */
  readonly isolatesNetwork?: boolean;
  /** Can start Node with its inspector open (`onInspector`); absent: it cannot. */
  readonly inspects?: boolean;
}

export interface InstanceSpec {
  readonly instanceId: string;
  readonly image: string;
  readonly functionId: string;
  readonly functionName: string;
  readonly applicationId: string;
  readonly applicationName: string;
  readonly memoryMiB: number;
  /** Configuration and secrets merged; the runtime adds the FN_ variables of the contract over it. */
  readonly environment: Readonly<Record<string, string>>;
  readonly credentials: InstanceCredentials;
  readonly startTimeoutMs: number;
  /** The value of FN_TYPE is always `sync`; annotations a runtime understands. */
  readonly network: "none" | "outbound";
  /**
   * A connection that something inside the instance made to its door, an address that the runtime puts into its
   * environment as OCI_LOCAL_ENDPOINT (`http://127.0.0.1:PORT`). Whoever gets it owns it; all end with the instance.
   */
  readonly onDoorConnection: (connection: Socket) => void;
  /** A line of output, without its end. `isCut` marks a line that was longer than the limit. */
  readonly onLine: (line: OutputLine) => void;
  /**
   * The instance is to be debugged: its Node waits for a debugger before the first line of the function, and this is
   * called once as soon as it does; the start timeout counts on. The instance may use `limits.inspectionMemoryMiB` more.
   * What has no such inspector answers `not-inspectable`.
   */
  readonly onInspector?: (inspector: Inspector) => void;
}

/** Node's inspector of one instance, which nothing but the instance itself and this can reach. It ends with it. */
export interface Inspector {
  /** A new connection to it, which is the caller's. Rejects when there is none to be had. */
  connect(): Promise<Duplex>;
}

/**
 * Files that are the instance's own and nobody else's: readable inside, replaced while it runs with `replaceCredentials`,
 * gone with it.
 */
export interface InstanceCredentials {
  /** Environment variable to name of a file, whose absolute path inside it gets; over the configuration. */
  readonly variables: Readonly<Record<string, string>>;
  /** Waited for before anything of the function runs, beside what else a start takes. It rejects as this does. */
  readonly files: Promise<CredentialFiles>;
}

/** Name to text. Names are letters, digits, `.` and `-`. */
export type CredentialFiles = Readonly<Record<string, string>>;

export interface OutputLine {
  /** platform: the runtime's own word about the instance. */
  readonly stream: "stdout" | "stderr" | "platform";
  readonly bytes: Uint8Array;
  readonly isCut: boolean;
}

/** What is known of a start that is likely to come soon. */
export type LikelyStart = Pick<InstanceSpec, "memoryMiB" | "network">;

export type StartResult =
  | { readonly kind: "started"; readonly instance: Instance }
  | { readonly kind: "image-unavailable"; readonly reason: string }
  | { readonly kind: "image-damaged"; readonly reason: string }
  /** It ended, or made a socket that is not allowed, before it listened. */
  | { readonly kind: "failed"; readonly how: string }
  /** Only with `onInspector`: what the image runs has no inspector of Node; continues "it cannot be inspected: …". */
  | { readonly kind: "not-inspectable"; readonly reason: string }
  | { readonly kind: "timed-out" }
  | { readonly kind: "aborted" };

export type PrepareResult =
  | { readonly kind: "ready" }
  | { readonly kind: "image-unavailable"; readonly reason: string }
  | { readonly kind: "image-damaged"; readonly reason: string };

/** One process or container of an image. Disposing destroys it and waits until everything of it is gone. */
export interface Instance extends AsyncDisposable {
  readonly id: string;
  /** A new connection to where the function listens. Errors come as the stream's `error` event. */
  connect(): Duplex;
  /** Settles when the instance has ended, by itself or destroyed; never rejects. */
  readonly ended: Promise<InstanceEnd>;
  /** Ends it now, with everything it spawned. Resolves when it is gone. */
  destroy(): Promise<void>;
  /** Replaces credential files one by one: whoever reads one finds the old text or the new. Nothing once it has ended. */
  replaceCredentials(files: CredentialFiles): Promise<void>;
  /** Resident bytes now; undefined where the runtime cannot tell. */
  memoryBytes(): number | undefined;
  /** Resolves when the output written so far has been handed to `onLine`. */
  flushOutput(): Promise<void>;
}

export interface InstanceEnd {
  readonly code: number | undefined;
  readonly signal: string | undefined;
  readonly isOutOfMemory: boolean;
}
