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
}

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
