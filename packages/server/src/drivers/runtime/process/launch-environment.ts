import { dirname, join } from "node:path";
import type { InstanceSpec } from "../driver.ts";

/** Where an instance finds what is its own, as it sees it itself. */
export interface InstancePlace {
  readonly codeDirectory: string;
  readonly credentialsDirectory: string;
  readonly socketDirectory: string;
  readonly temporaryDirectory: string;
  readonly doorPort: number;
  /** Where a file of the platform is inside. */
  readonly pathOf: (path: string) => string;
  /** Where it is not the machine's. */
  readonly hostName?: string;
}

/** Where programs are looked for, as in a container. */
export const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export const listenerFile = "lsnr.sock";

/** The value of FN_LISTENER for a socket directory. */
export function listenerOf(socketDirectory: string): string {
  return `unix:${join(socketDirectory, listenerFile)}`;
}

/** What a container would have, under the function's own configuration, under the variables of the contract. */
export function instanceEnvironment(
  spec: InstanceSpec,
  host: { readonly nodePath: string; readonly hostName: string },
  place: InstancePlace,
): Readonly<Record<string, string>> {
  return {
    PATH: `${dirname(place.pathOf(host.nodePath))}:${systemPath}`,
    HOME: place.temporaryDirectory,
    TMPDIR: place.temporaryDirectory,
    HOSTNAME: place.hostName ?? host.hostName,
    ...spec.environment,
    ...credentialPaths(spec, place),
    OCI_LOCAL_ENDPOINT: `http://127.0.0.1:${place.doorPort}`,
    FN_LISTENER: listenerOf(place.socketDirectory),
    FN_FORMAT: "http-stream",
    FN_MEMORY: String(spec.memoryMiB),
    FN_TYPE: "sync",
    FN_FN_ID: spec.functionId,
    FN_APP_ID: spec.applicationId,
    FN_FN_NAME: spec.functionName,
    FN_APP_NAME: spec.applicationName,
  };
}

function credentialPaths({ credentials }: InstanceSpec, { credentialsDirectory }: InstancePlace) {
  const variables = Object.entries(credentials.variables);
  return Object.fromEntries(variables.map(([variable, name]) => [variable, join(credentialsDirectory, name)]));
}

/** Of a bundle, beside its code: what `pip install --target` put there. */
export const pythonPackagesFolder = ".chaya/python";

/** The same for Python: its code and packages are found, and what it prints is not held back until it ends. */
export function pythonEnvironment(
  environment: Readonly<Record<string, string>>,
  codeDirectory: string,
): Readonly<Record<string, string>> {
  const { PYTHONPATH: own } = environment;
  const places = [codeDirectory, join(codeDirectory, pythonPackagesFolder), ...(own === undefined ? [] : [own])];
  return { PYTHONUNBUFFERED: "1", ...environment, PYTHONPATH: places.join(":") };
}

/** execve(2): MAX_ARG_STRLEN, and a quarter of the usual stack for all strings together. */
const entryBytesMax = 128 * 1024;
const bytesMax = 2 * 1024 * 1024;

/** Why the system would not start a program with it; sentences of our own, for the values may be secrets. */
export function environmentRefusal(environment: Readonly<Record<string, string>>): string | undefined {
  let bytes = 0;
  for (const entry of Object.entries(environment)) {
    const text = entry.join("=");
    if (text.includes("\0")) return "its environment holds U+0000";
    const entryBytes = Buffer.byteLength(text) + 1;
    bytes += entryBytes;
    if (entryBytes > entryBytesMax || bytes > bytesMax) return "its environment is too large";
  }
  return undefined;
}

/** Read by the dynamic loader, by the C library, or when a language's locale is chosen. */
const systemReadsAtStart = /^(LD_|MALLOC_|GLIBC_TUNABLES$|LC_|LANG$|LANGUAGE$|LOCPATH$)/;
const readAtStart: Readonly<Record<"node" | "python", RegExp>> = {
  node: new RegExp(
    `^(UV_|OPENSSL_|SSL_CERT_|NODE_(${[
      ...["OPTIONS", "EXTRA_CA_CERTS", "PATH", "ICU_DATA", "V8_COVERAGE", "DEBUG", "DEBUG_NATIVE", "NO_WARNINGS"],
      ...["PENDING_DEPRECATION", "PENDING_PIPE_INSTANCES", "PRESERVE_SYMLINKS", "PRESERVE_SYMLINKS_MAIN"],
      ...["REDIRECT_WARNINGS", "USE_ENV_PROXY", "USE_SYSTEM_CA", "COMPILE_CACHE", "COMPILE_CACHE_PORTABLE"],
      ...["DISABLE_COMPILE_CACHE", "SKIP_PLATFORM_CHECK", "TEST_CONTEXT"],
    ].join("|")})$)`,
  ),
  // The other two are honoured later: search path and buffering.
  python: /^PYTHON(?!PATH$|UNBUFFERED$)/,
};

/** A variable that would come too late for a process that has started already. */
export function variableReadAtStart(
  environment: Readonly<Record<string, string>>,
  program: "node" | "python",
): string | undefined {
  return Object.keys(environment).find((name) => systemReadsAtStart.test(name) || readAtStart[program].test(name));
}
