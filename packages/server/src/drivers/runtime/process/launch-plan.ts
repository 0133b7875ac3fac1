import { dirname, join } from "node:path";
import type { InstanceSpec } from "../driver.ts";

/** What this machine starts instances with. */
export interface LaunchHost {
  /** The pinned Node. */
  readonly nodePath: string;
  /** util-linux's setpriv that knows --pdeathsig; undefined where there is none. */
  readonly setprivPath: string | undefined;
  readonly hostName: string;
}

export interface LaunchPlan {
  readonly program: string;
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly directory: string;
  /** Node says itself when its heap is full. */
  readonly isNode: boolean;
}

const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** The rest is for what V8 keeps beside the old space, for buffers and for Node itself (≈ 15 MiB of its own). */
const heapShare = 0.75;
const heapMiBMin = 16;

export const listenerFile = "lsnr.sock";

/** The value of FN_LISTENER for a socket directory. */
export function listenerOf(socketDirectory: string): string {
  return `unix:${join(socketDirectory, listenerFile)}`;
}

/** Decides how an instance is started; pure. `command` is the entry point of the bundle. */
export function planLaunch(
  spec: InstanceSpec,
  host: LaunchHost,
  where: {
    readonly command: readonly string[];
    readonly codeDirectory: string;
    readonly socketDirectory: string;
    readonly temporaryDirectory: string;
  },
): LaunchPlan {
  const [program = "", ...rest] = where.command;
  const isNode = program === "node";
  // A full heap ends Node with a message that says so, before the memory limit ends it without one.
  const heapMiB = Math.max(heapMiBMin, Math.floor(spec.memoryMiB * heapShare));
  const command = isNode ? [host.nodePath, `--max-old-space-size=${heapMiB}`, ...rest] : [program, ...rest];
  // The kernel sends the signal when the server's thread ends, so not even one that spins outlives the server.
  const guarded =
    host.setprivPath === undefined ? command : [host.setprivPath, "--pdeathsig", "KILL", "--", ...command];
  return {
    program: guarded[0] ?? "",
    arguments: guarded.slice(1),
    environment: environmentOf(spec, host, where),
    directory: where.codeDirectory,
    isNode,
  };
}

/** What a container would have, under the function's own configuration, under the variables of Fn's contract. */
function environmentOf(
  spec: InstanceSpec,
  host: LaunchHost,
  where: { readonly socketDirectory: string; readonly temporaryDirectory: string },
): Readonly<Record<string, string>> {
  return {
    PATH: `${dirname(host.nodePath)}:${systemPath}`,
    HOME: where.temporaryDirectory,
    TMPDIR: where.temporaryDirectory,
    HOSTNAME: host.hostName,
    ...spec.environment,
    FN_LISTENER: listenerOf(where.socketDirectory),
    FN_FORMAT: "http-stream",
    FN_MEMORY: String(spec.memoryMiB),
    FN_TYPE: "sync",
    FN_FN_ID: spec.functionId,
    FN_APP_ID: spec.applicationId,
    FN_FN_NAME: spec.functionName,
    FN_APP_NAME: spec.applicationName,
  };
}
