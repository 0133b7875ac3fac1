import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { Problem } from "@chaya/contract";
import type { Clock } from "../../../../kernel/clock.ts";
import type { Logger } from "../../../../kernel/logger.ts";
import { findProgram } from "../host-programs.ts";
import { Bubblewrap, type BubblewrapOptions } from "./bubblewrap.ts";
import { ControlGroups, type FoundControlGroups } from "./control-groups.ts";
import { NoSandbox } from "./no-sandbox.ts";
import { findOutboundTools, nameServer } from "./outbound-network.ts";
import type { Sandbox } from "./sandbox.ts";
import { compileSeccompFilter, seccompProcessor } from "./seccomp.ts";
import { readSystemTree } from "./system-tree.ts";

export type SandboxChoice = "auto" | "bwrap" | "none";

export interface SandboxOptions {
  /** auto: bubblewrap where a trial shows that it works. */
  readonly choice: SandboxChoice;
  /** Files of the sandbox's own, made anew: DATA/sandbox. */
  readonly directory: string;
  /** DATA/instances: whose control groups they are. */
  readonly instancesDirectory: string;
  /** The Node that must start inside. */
  readonly nodePath: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

type Tried = { readonly kind: "works"; readonly sandbox: Sandbox } | { readonly kind: "fails"; readonly why: string };

const trialMsMax = 10_000;

/**
 * Finds out what this machine can do; ends what an earlier server left in its control groups. Throws `sandbox-unusable`
 * when bubblewrap was asked for and does not work.
 */
export async function openSandbox(options: SandboxOptions): Promise<Sandbox> {
  const { choice, instancesDirectory, clock, logger } = options;
  const found = await ControlGroups.open({ owner: instancesDirectory, clock, logger });
  const tried = choice === "none" ? undefined : await tryBubblewrap(options, found);
  if (tried?.kind === "works") return tried.sandbox;
  const groups = found.kind === "usable" ? found.groups : undefined;
  if (choice === "bwrap") {
    await groups?.[Symbol.asyncDispose]();
    throw new Problem("sandbox-unusable", { reason: tried?.why ?? "" });
  }
  const why = tried === undefined ? "the sandbox is switched off (--sandbox none)." : tried.why;
  return new NoSandbox(groups, [`Functions run as plain processes: ${why}`, limitSentence(found)]);
}

/** A trial shows more than any list of what a kernel must have. */
async function tryBubblewrap(options: SandboxOptions, controlGroups: FoundControlGroups): Promise<Tried> {
  const { directory, nodePath, clock } = options;
  const [bwrap, setpriv, prlimit] = await Promise.all(["bwrap", "setpriv", "prlimit"].map(findProgram));
  if (bwrap === undefined)
    return { kind: "fails", why: "bubblewrap is not installed (apt install bubblewrap, dnf install bubblewrap)." };
  if (setpriv === undefined || prlimit === undefined)
    return { kind: "fails", why: "setpriv and prlimit of util-linux are not installed." };
  const groups = controlGroups.kind === "usable" ? controlGroups.groups : undefined;
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const serverIs = process.getuid?.() === 0 ? "root" : "user";
  const found = await findOutboundTools(setpriv, serverIs === "root" ? "machine" : "user-namespace");
  const resolverFile = join(directory, "resolv.conf");
  const outbound = "refusal" in found ? found : { ...found, resolverFile };
  const files = await makeFiles(directory);
  const made = { programs: { bwrap, setpriv, prlimit }, groups, serverIs, outbound, ...files } as const;
  const explanation = explain(made, controlGroups);
  const sandbox = new Bubblewrap({ ...made, clock, system: await readSystemTree(), explanation });
  const failure = await trial(sandbox, { directory, nodePath });
  if (failure === undefined) return { kind: "works", sandbox };
  return { kind: "fails", why: `bubblewrap does not work here: ${failure}` };
}

async function makeFiles(directory: string): Promise<Pick<BubblewrapOptions, "files" | "seccompFile">> {
  const files = new Map<string, string>();
  const texts = {
    hosts: "127.0.0.1 localhost\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
  };
  for (const [name, text] of Object.entries(texts))
    files.set(`/etc/${name}`, await makeFile(join(directory, name), text));
  await makeFile(join(directory, "resolv.conf"), `nameserver ${nameServer}\n`);
  const processor = seccompProcessor(process.arch);
  if (processor === undefined) return { files, seccompFile: undefined };
  const seccompFile = join(directory, "seccomp.bpf");
  await writeFile(seccompFile, compileSeccompFilter(processor));
  return { files, seccompFile };
}

/** For everybody to read, whatever the umask says. */
async function makeFile(path: string, text: string): Promise<string> {
  await writeFile(path, text);
  await chmod(path, 0o644);
  return path;
}

/** Starts Node inside; the sentence says why that failed. */
async function trial(
  sandbox: Bubblewrap,
  { directory, nodePath }: { readonly directory: string; readonly nodePath: string },
): Promise<string | undefined> {
  const path = await mkdtemp(join(directory, "trial-"));
  const instance = { path, socketDirectory: join(path, "s"), temporaryDirectory: join(path, "tmp") };
  const place = {
    instance,
    codeDirectory: path,
    credentialsDirectory: path,
    network: "none",
    readable: [nodePath],
  } as const;
  const { prefix, pathOf } = sandbox.enter(place);
  const [program = "", ...words] = [...prefix, pathOf(nodePath), "--version"];
  try {
    await chmod(path, 0o755);
    const { stdout } = await promisify(execFile)(program, words, { env: {}, cwd: "/", timeout: trialMsMax });
    return stdout.trim() === process.version ? undefined : "Node says something else inside.";
  } catch (error) {
    return sentenceOf(error);
  } finally {
    await sandbox.leave(instance);
    await rm(path, { recursive: true, force: true });
  }
}

/** bubblewrap says it in one line. */
function sentenceOf(error: unknown): string {
  const said = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : "";
  const line = said.split("\n").at(-1) || (error instanceof Error ? error.message : String(error));
  const isDenied = /permitted|Permission denied|No permissions/.test(line);
  const hint = isDenied
    ? " This system lets this user make no user namespaces: see kernel.unprivileged_userns_clone, or kernel.apparmor_restrict_unprivileged_userns on Ubuntu."
    : "";
  return `${line}.${hint}`;
}

function explain(
  { serverIs, seccompFile, outbound }: Pick<BubblewrapOptions, "serverIs" | "seccompFile" | "outbound">,
  found: FoundControlGroups,
): readonly string[] {
  return [
    "Functions run in bubblewrap: each sees the system's programs and its own code, both read-only, a private /tmp, and no process, file or network of this machine.",
    serverIs === "root"
      ? "They run as users that own nothing on this machine, without capabilities."
      : "They run as this user in a user namespace without rights; a server that runs as root gives each a user of its own.",
    seccompFile === undefined
      ? `System calls are not filtered: there is no filter for the processor ${process.arch}.`
      : "System calls that no function needs are refused.",
    "refusal" in outbound
      ? `No function gets a network: ${outbound.refusal}.`
      : "With chaya/network: outbound a function reaches other machines, but not this machine's loopback or a cloud's metadata.",
    limitSentence(found),
  ];
}

function limitSentence(found: FoundControlGroups): string {
  if (found.kind === "unusable")
    return `Memory is measured four times a second, because ${found.why}; one that grows faster may get beyond its limit for a moment.`;
  const { version, controllers } = found.groups;
  return `Control groups (version ${version}) limit ${[...controllers].join(", ")}.`;
}
