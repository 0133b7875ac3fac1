import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { endianness } from "node:os";

/**
 * Whether the other end of a connection over 127.0.0.1 is a process of the same user, or of root. Where the system does
 * not say whose it is (not Linux), it is taken for one.
 */
export async function isOwnConnection({ remotePort, localPort }: Pick<Socket, "remotePort" | "localPort">) {
  const own = process.getuid?.();
  if (own === undefined || remotePort === undefined || localPort === undefined) return own === undefined;
  const rows = await readFile("/proc/net/tcp", "latin1").catch(() => undefined);
  if (rows === undefined) return true;
  const uid = uidOf(rows, { remotePort, localPort });
  return uid === own || uid === 0;
}

/** In the row of the other end, whose local end is our remote one (proc_net_tcp.txt). Pure. */
export function uidOf(rows: string, ports: { readonly remotePort: number; readonly localPort: number }) {
  const [theirs, ours] = [ports.remotePort, ports.localPort].map(endText);
  for (const row of rows.split("\n")) {
    const [, local, remote, state, , , , uid] = row.trim().split(/\s+/);
    if (local === theirs && remote === ours && state !== timeWait) return Number(uid);
  }
  return undefined;
}

/** It belongs to nobody any more and shows uid 0. */
const timeWait = "06";
const loopback = endianness() === "LE" ? "0100007F" : "7F000001";

function endText(port: number): string {
  return `${loopback}:${port.toString(16).toUpperCase().padStart(4, "0")}`;
}
