import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:fs";
import { access, readFile } from "node:fs/promises";
import type { Clock } from "../../../../kernel/clock.ts";
import { findProgram } from "../host-programs.ts";

/** What an instance with a network resolves names with: both programs listen there inside and ask for it outside. */
export const nameServer = "10.0.2.3";

export interface OutboundTools {
  readonly slirp4netns: string | undefined;
  readonly pasta: string | undefined;
  readonly ip: string;
  readonly setpriv: string;
}

/** How the namespaces of an instance are entered: its network belongs to a user namespace of its own, or to none. */
export type NamespaceOwner = "user-namespace" | "machine";

/**
 * Addresses at which clouds tell a machine's credentials to whoever asks from it: link-local ones (Amazon, Google, Oracle,
 * Microsoft), Azure's wire server, Alibaba's, and Amazon's for IPv6, which may be switched off.
 */
const metadataRoutes = ["169.254.0.0/16", "168.63.129.16", "100.100.100.200"];
const metadataRoutesIpv6 = ["fd00:ec2::/32"];
const tunnelDevice = "/dev/net/tun";
const readyMsMax = 5_000;
const lookMs = 5;

/** Undefined with the sentence why: no instance can have the network here. */
export async function findOutboundTools(
  setpriv: string,
  owner: NamespaceOwner,
): Promise<{ readonly tools: OutboundTools } | { readonly refusal: string }> {
  const [slirp4netns, pasta, ip] = await Promise.all(["slirp4netns", "pasta", "ip"].map(findProgram));
  if (ip === undefined)
    return { refusal: "chaya/network: outbound needs ip (package iproute2) on the server's machine" };
  if (!(await isUsable(tunnelDevice)))
    return { refusal: `chaya/network: outbound needs ${tunnelDevice}, which the server's user may not use` };
  // pasta, started by root, gives up the rights that it would need here.
  const usable = owner === "user-namespace" ? pasta : undefined;
  if (slirp4netns === undefined && usable === undefined)
    return {
      refusal: `chaya/network: outbound needs slirp4netns${owner === "machine" ? "" : " or pasta (package passt)"} on the server's machine`,
    };
  return { tools: { slirp4netns, pasta: usable, ip, setpriv } };
}

/** Run inside, with the right to change its network, before that right is given up. */
export function refuseMetadataScript(ip: string): string {
  const add = (route: string) => `${ip} route add unreachable ${route}`;
  const ipv6 = metadataRoutesIpv6.map((route) => `${add(route)} 2>/dev/null || :`);
  return ["set -e", ...metadataRoutes.map(add), ...ipv6, 'exec "$@"'].join("\n");
}

/**
 * Gives an instance a network of its own that leads out of this machine, through a program beside it: not to this machine's
 * loopback, and not to the addresses where clouds keep credentials. Disposing ends the program.
 */
export async function connectOutbound(
  deps: { readonly tools: OutboundTools; readonly clock: Clock },
  inside: { readonly pid: number; readonly owner: NamespaceOwner },
): Promise<AsyncDisposable> {
  const { tools, clock } = deps;
  const [program, ...words] = companionWords(tools, inside);
  // It ends with this server.
  const child = spawn(tools.setpriv, ["--pdeathsig", "KILL", "--", program ?? "", ...words], {
    ...{ stdio: ["ignore", "ignore", "pipe"], cwd: "/", env: {} },
  });
  const disposable = { [Symbol.asyncDispose]: () => end(child) };
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said = `${said}${chunk}`.slice(-1024);
  });
  const ended = once(child, "exit").then(() => true);
  for (const startedMs = clock.monotonicMs(); !(await hasDefaultRoute(inside.pid)); ) {
    const isLate = clock.monotonicMs() - startedMs > readyMsMax;
    const isOver = await Promise.race([ended, clock.sleep(lookMs).then(() => false)]);
    if (!isOver && !isLate) continue;
    await disposable[Symbol.asyncDispose]();
    throw new Error(`${program} gave an instance no network: ${said.trim()}`);
  }
  return disposable;
}

/** slirp4netns comes first: it works for every user. */
function companionWords(
  { slirp4netns, pasta }: OutboundTools,
  { pid, owner }: { readonly pid: number; readonly owner: NamespaceOwner },
): readonly string[] {
  const [network, user] = [`/proc/${pid}/ns/net`, `/proc/${pid}/ns/user`];
  if (slirp4netns !== undefined) {
    const isolated = ["--disable-host-loopback", "--enable-seccomp"];
    // Its own sandbox wants to become root first, whom such a user namespace does not have.
    const entered = owner === "machine" ? ["--enable-sandbox"] : [`--userns-path=${user}`];
    const where = ["--netns-type=path", network, "tap0"];
    return [slirp4netns, "--configure", "--mtu=65520", ...isolated, ...entered, ...where];
  }
  const noPorts = ["-t", "none", "-u", "none", "-T", "none", "-U", "none"];
  const isolated = ["--no-map-gw", "--dns-forward", nameServer, ...noPorts];
  return [pasta ?? "", "--foreground", "--quiet", "--config-net", ...isolated, "--userns", user, "--netns", network];
}

/** proc_net_route: destination and flags; the unreachable ones above have no interface. */
async function hasDefaultRoute(pid: number): Promise<boolean> {
  const [ipv4, ipv6] = await Promise.all(
    ["route", "ipv6_route"].map((name) => readFile(`/proc/${pid}/net/${name}`, "utf8").catch(() => "")),
  );
  return /^(?!\*)\S+\t00000000\t/m.test(ipv4 ?? "") || /^0{32} 00 .* (?!lo$)\S+$/m.test(ipv6 ?? "");
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

async function isUsable(path: string): Promise<boolean> {
  return access(path, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
}
