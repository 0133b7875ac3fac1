import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { basename, join } from "node:path";
import { limits } from "@chaya/contract";
import type { Clock } from "../../../../kernel/clock.ts";
import type { RuntimeAbilities } from "../../driver.ts";
import type { InstanceDirectory } from "../instance-directory.ts";
import { type ProcessRow, readProcess } from "../process-table.ts";
import { bubblewrapWords, type Identity, insidePaths, platformPaths, wordDescriptors } from "./bubblewrap-words.ts";
import type { ControlGroups } from "./control-groups.ts";
import { joinGroups, shellPath } from "./group-joining.ts";
import { limitGroup } from "./limit-group.ts";
import { connectOutbound, type OutboundTools, refuseMetadataScript } from "./outbound-network.ts";
import type { InstanceLimiter, InstanceLimits, ProcessEnd, Sandbox, SandboxEntry, SandboxPlace } from "./sandbox.ts";
import type { SystemTree } from "./system-tree.ts";

export interface BubblewrapOptions {
  readonly programs: { readonly bwrap: string; readonly setpriv: string; readonly prlimit: string };
  readonly system: SystemTree;
  /** Files of our own in place of the machine's: path inside → path outside. */
  readonly files: ReadonlyMap<string, string>;
  /** The compiled filter; undefined for processors that have none. */
  readonly seccompFile: string | undefined;
  readonly groups: ControlGroups | undefined;
  /** root: the server's user may become any other. */
  readonly serverIs: "root" | "user";
  /** How instances get a network, or the sentence why they get none. */
  readonly outbound: { readonly tools: OutboundTools; readonly resolverFile: string } | { readonly refusal: string };
  readonly explanation: readonly string[];
  readonly clock: Clock;
}

interface Attached {
  /** Of its namespace. */
  readonly first: Pick<ProcessRow, "pid" | "startTicks">;
  /** Beside it: what leads out of its network. */
  companion: AsyncDisposable | undefined;
}

/** systemd's list of user ids leaves 1879048192 to 2147483647 to nobody (UIDS-GIDS.md). */
const ownUids = { first: 0x7000_0000, count: 0x10000 };
/** As in Fn's containers. */
const namespaceUid = 1000;

const script = `${joinGroups}filter=$2 passwd=$3 group=$4
shift 4
exec "$@" ${wordDescriptors.passwd}<<PASSWD ${wordDescriptors.group}<<GROUP ${wordDescriptors.seccomp}<"$filter"
$passwd
PASSWD
$group
GROUP
`;

/** The first of several names of a signal is its usual one: SIGABRT, not SIGIOT. */
const signalNames = new Map(
  Object.entries(constants.signals)
    .reverse()
    .map(([name, number]) => [number, name]),
);
const signalledFrom = 128;
const lookMs = 1;

/**
 * bubblewrap: an instance has a root of its own (the system's directories, its code and nothing else), processes, users,
 * network and host name of its own, no capability, no way to gain one, and a filter of system calls.
 *
 * Two processes of bubblewrap stand before the program: the one that was spawned, and the first of the namespace. The
 * second dies with the first, and when it is gone, the kernel has ended everything inside.
 */
export class Bubblewrap implements Sandbox {
  readonly name = "bubblewrap";
  readonly abilities: RuntimeAbilities = {
    isolation: "sandbox",
    limitsMemory: true,
    endsEscapees: true,
    isolatesNetwork: true,
  };
  readonly explanation: readonly string[];
  readonly hasOwnLoopback = true;
  readonly outboundRefusal: string | undefined;
  readonly controlGroups: readonly string[];
  readonly memoryDirectories: readonly string[];
  readonly #options: BubblewrapOptions;
  /** By instance, from when it waits until nothing of it lives. */
  readonly #attached = new Map<string, Attached>();
  #entered = 0;

  constructor(options: BubblewrapOptions) {
    this.#options = options;
    this.explanation = options.explanation;
    this.controlGroups = options.groups?.homes ?? [];
    const isCounted = options.groups?.controllers.has("memory") === true;
    this.memoryDirectories = isCounted ? [] : ["/dev/shm", insidePaths.temporary, insidePaths.sockets];
    this.outboundRefusal = "refusal" in options.outbound ? options.outbound.refusal : undefined;
  }

  enter({ instance, codeDirectory, credentialsDirectory, network, ...place }: SandboxPlace): SandboxEntry {
    const { programs, system, seccompFile, groups, serverIs, outbound } = this.#options;
    const readable = platformPaths(place.readable, system);
    const files = new Map(this.#options.files);
    if (network === "outbound" && "resolverFile" in outbound) files.set("/etc/resolv.conf", outbound.resolverFile);
    const identity: Identity =
      serverIs === "root"
        ? { kind: "own-user", uid: ownUids.first + (this.#entered++ % ownUids.count) }
        : { kind: "user-namespace", uid: namespaceUid };
    const name = basename(instance.path);
    const inside = {
      ...{ system, files, codeDirectory, credentialsDirectory, readable, hostName: name.toLowerCase() },
      temporaryBytesMax: limits.instanceTemporaryBytesMax,
    };
    const words = bubblewrapWords(inside, identity, {
      ...programs,
      processesMax: limits.instanceProcessesMax,
      hasSeccomp: seccompFile !== undefined,
      networkScript:
        network === "outbound" && "tools" in outbound ? refuseMetadataScript(outbound.tools.ip) : undefined,
    });
    const passwd = `root:x:0:0::/:/sbin/nologin\nfunction:x:${identity.uid}:${identity.uid}::/tmp:/bin/sh`;
    const group = `root:x:0:\nfunction:x:${identity.uid}:`;
    const directories = groups?.directoriesOf(name) ?? [];
    const given = [directories.join("\n"), seccompFile ?? "/dev/null", passwd, group];
    return {
      prefix: [shellPath, "-c", script, "sh", ...given, ...words],
      descriptors: new Map(),
      codeDirectory: insidePaths.code,
      credentialsDirectory: insidePaths.credentials,
      socketDirectory: insidePaths.sockets,
      temporaryDirectory: insidePaths.temporary,
      pathOf: (path) => readable.get(path) ?? path,
      hostName: inside.hostName,
      ...(identity.kind === "own-user" && { uid: identity.uid }),
    };
  }

  async attach(pid: number, { instance, network }: SandboxPlace): Promise<void> {
    const { outbound, serverIs, clock } = this.#options;
    const first = readProcess(childrenOf(pid)[0] ?? 0);
    // It has ended already, and so has everything inside.
    if (first === undefined) return;
    const attached: Attached = { first, companion: undefined };
    this.#attached.set(basename(instance.path), attached);
    if (network === "none" || "refusal" in outbound) return;
    const owner = serverIs === "root" ? "machine" : "user-namespace";
    const inside = { pid: childrenOf(first.pid)[0] ?? first.pid, owner } as const;
    attached.companion = await connectOutbound({ tools: outbound.tools, clock }, inside);
  }

  async limit(pid: number, instanceLimits: InstanceLimits): Promise<InstanceLimiter> {
    const limiter = limitGroup(this.#options.groups, pid, instanceLimits);
    const [program] = childrenOf(childrenOf(pid)[0]);
    return { ...limiter, socketDirectory: `/proc/${program}/root${insidePaths.sockets}` };
  }

  /** bubblewrap ends as its program did, but tells a signal the way shells do. */
  readEnd(end: ProcessEnd): ProcessEnd {
    const signal = signalNames.get((end.code ?? 0) - signalledFrom);
    return isSignal(signal) ? { code: undefined, signal } : end;
  }

  async leave(instance: InstanceDirectory): Promise<void> {
    const name = basename(instance.path);
    const attached = this.#attached.get(name);
    this.#attached.delete(name);
    while (attached !== undefined && isThere(attached.first)) await this.#options.clock.sleep(lookMs);
    await attached?.companion?.[Symbol.asyncDispose]();
    await this.#options.groups?.end(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#options.groups?.[Symbol.asyncDispose]();
  }
}

/** A zombie has no process left in its namespace. */
function isThere({ pid, startTicks }: Pick<ProcessRow, "pid" | "startTicks">): boolean {
  const row = readProcess(pid);
  return row !== undefined && !row.isZombie && row.startTicks === startTicks;
}

/** In the order they were started. */
function childrenOf(pid: number | undefined): readonly number[] {
  try {
    const text = readFileSync(join("/proc", String(pid), "task", String(pid), "children"), "utf8");
    return text.split(" ").filter(Boolean).map(Number);
  } catch {
    // It has ended.
    return [];
  }
}

function isSignal(name: string | undefined): name is NodeJS.Signals {
  return name !== undefined;
}
