import { basename, dirname, join } from "node:path";
import { limits } from "@chaya/contract";
import type { SystemTree } from "./system-tree.ts";

/** What an instance is given inside, whoever it runs as. */
export interface Inside {
  readonly system: SystemTree;
  /** Files of our own in place of the machine's: path inside → path outside. */
  readonly files: ReadonlyMap<string, string>;
  readonly hostName: string;
  readonly codeDirectory: string;
  readonly credentialsDirectory: string;
  /** Of the platform: path outside → path inside. */
  readonly readable: ReadonlyMap<string, string>;
  readonly temporaryBytesMax: number;
}

/** How the function gets rid of the rights that bubblewrap has. */
export type Identity =
  /** The server is root: the function gets a user that owns nothing on this machine. */
  | { readonly kind: "own-user"; readonly uid: number }
  /** The server is an ordinary user: the function is the same one to the kernel, in a user namespace without rights. */
  | { readonly kind: "user-namespace"; readonly uid: number };

export const insidePaths = {
  code: "/function",
  /** As in Oracle's containers. */
  credentials: "/.oci-credentials",
  sockets: "/run/chaya",
  temporary: "/tmp",
} as const;

/** Descriptors that the words name. */
export const wordDescriptors = { seccomp: 9, group: 8, passwd: 7 } as const;

const socketsBytesMax = 1024 * 1024;
const sharedMemory = "/dev/shm";
const devices = ["null", "zero", "full", "random", "urandom"];
const descriptorLinks = { fd: "", stdin: "/0", stdout: "/1", stderr: "/2" };
/** As Fn limits its containers; the open files more generously, as systems do by default. */
const resources = {
  core: 0,
  nofile: limits.instanceOpenFilesMax,
  memlock: 65_536,
  msgqueue: 819_200,
  sigpending: 5_000,
};

/** The words from `bwrap` to the program that runs inside. */
export function bubblewrapWords(
  inside: Inside,
  identity: Identity,
  options: {
    readonly bwrap: string;
    readonly setpriv: string;
    readonly prlimit: string;
    readonly processesMax: number;
    readonly hasSeccomp: boolean;
    /** A shell script that may change the network inside, before the function can. */
    readonly networkScript: string | undefined;
  },
): readonly string[] {
  return [
    options.bwrap,
    ...["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"],
    ...(identity.kind === "user-namespace" ? userNamespace(identity.uid) : []),
    ...["--cap-drop", "ALL", ...capabilities(identity, options).flatMap((name) => ["--cap-add", name])],
    ...["--die-with-parent", "--new-session", "--hostname", inside.hostName, "--unsetenv", "FN_LISTENER"],
    ...system(inside),
    ...["--proc", "/proc"],
    ...deviceDirectory(),
    ...memoryFiles(sharedMemory, inside.temporaryBytesMax, "1777"),
    ...memoryFiles(insidePaths.temporary, inside.temporaryBytesMax, "1777"),
    ...memoryFiles(insidePaths.sockets, socketsBytesMax, "0777"),
    ...readable(inside),
    ...["--ro-bind", inside.codeDirectory, insidePaths.code],
    ...["--ro-bind", inside.credentialsDirectory, insidePaths.credentials],
    ...["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/"],
    ...(options.hasSeccomp ? ["--seccomp", String(wordDescriptors.seccomp)] : []),
    "--",
    ...(options.networkScript === undefined ? [] : ["/bin/sh", "-c", options.networkScript, "sh"]),
    ...giveUpRights(options.setpriv, identity),
    ...[options.prlimit, `--nproc=${options.processesMax}`, `--fsize=${inside.temporaryBytesMax}`],
    ...Object.entries(resources).map(([name, value]) => `--${name}=${value}`),
    "--",
  ];
}

function userNamespace(uid: number): readonly string[] {
  return ["--unshare-user", "--uid", String(uid), "--gid", String(uid)];
}

/** What is needed until `giveUpRights`. */
function capabilities(identity: Identity, { networkScript }: { readonly networkScript: string | undefined }): string[] {
  return [
    ...(identity.kind === "own-user" ? ["CAP_SETUID", "CAP_SETGID"] : []),
    ...(networkScript === undefined ? [] : ["CAP_NET_ADMIN"]),
    "CAP_SETPCAP",
  ];
}

function giveUpRights(setpriv: string, { kind, uid }: Identity): readonly string[] {
  const user = kind === "own-user" ? ["--reuid", String(uid), "--regid", String(uid), "--clear-groups"] : [];
  return [setpriv, ...user, "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all", "--"];
}

function system({ system: { directories, links, settings }, files }: Inside): readonly string[] {
  const of = (kind: string) => ["--perms", "0444", "--ro-bind-data", kind];
  return [
    ...directories.flatMap((path) => ["--ro-bind", path, path]),
    ...[...links].flatMap(([path, target]) => ["--symlink", target, path]),
    ...["--perms", "0755", "--dir", "/etc"],
    ...parentsOf(settings).flatMap((path) => ["--perms", "0755", "--dir", path]),
    ...settings.flatMap((path) => ["--ro-bind", path, path]),
    ...[...files].flatMap(([path, source]) => ["--ro-bind", source, path]),
    ...[...of(String(wordDescriptors.passwd)), "/etc/passwd"],
    ...[...of(String(wordDescriptors.group)), "/etc/group"],
  ];
}

/** No terminal, no disk. */
function deviceDirectory(): readonly string[] {
  return [
    ...["--perms", "0755", "--tmpfs", "/dev"],
    ...devices.flatMap((name) => ["--dev-bind", `/dev/${name}`, `/dev/${name}`]),
    ...Object.entries(descriptorLinks).flatMap(([name, target]) => [
      ...["--symlink", `/proc/self/fd${target}`, `/dev/${name}`],
    ]),
  ];
}

function memoryFiles(path: string, bytesMax: number, permissions: string): readonly string[] {
  return ["--size", String(bytesMax), "--perms", permissions, "--tmpfs", path];
}

/** Of our own, below none of the directories that belong to the function. */
const platformDirectory = "/opt/chaya";

/**
 * Where the platform's files go inside; what the system's directories show stays where it is. At their own paths they
 * would tell where the server is installed, and stand in the function's /tmp when it is installed there.
 */
export function platformPaths(paths: readonly string[], { directories }: SystemTree): ReadonlyMap<string, string> {
  const hidden = paths.filter((path) => !directories.some((directory) => path.startsWith(`${directory}/`)));
  return new Map(hidden.map((path, index) => [path, join(platformDirectory, String(index), basename(path))]));
}

function readable({ readable: paths }: Inside): readonly string[] {
  return [
    ...parentsOf([...paths.values()]).flatMap((path) => ["--perms", "0755", "--dir", path]),
    ...[...paths].flatMap(([outside, inside]) => ["--ro-bind", outside, inside]),
  ];
}

/** Directories above, each once and after its own; bubblewrap would make them for their owner only. */
function parentsOf(paths: readonly string[]): readonly string[] {
  const parents = new Set<string>();
  for (const path of paths) for (let at = dirname(path); at !== "/"; at = dirname(at)) parents.add(at);
  return [...parents].filter((path) => path !== "/etc").sort();
}
