import { readFile } from "node:fs/promises";
import { isIPv4 } from "node:net";
import { endianness } from "node:os";

/** Both ends of a TCP connection as this process sees them. */
export interface ConnectionEnds {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
}

/**
 * Who is at the other end of a connection over loopback: its uid; `unknown` when the kernel does not list it;
 * `unsupported` where there is no such list (not Linux, or /proc is hidden).
 */
export type PeerUid = (ends: ConnectionEnds) => Promise<number | "unknown" | "unsupported">;

const tables = ["/proc/net/tcp", "/proc/net/tcp6"];

/** Looks the peer's own socket up in the kernel's tables: there our local end is its remote end. */
export const readPeerUid: PeerUid = async (ends) => {
  let isListed = false;
  for (const table of tables) {
    const rows = await readTable(table);
    if (rows === undefined) continue;
    isListed = true;
    const uid = findUid(rows, ends);
    if (uid !== undefined) return uid;
  }
  return isListed ? "unknown" : "unsupported";
};

/**
 * The uid column of the row whose local end is the peer and whose remote end is ours. Pure; `rows` is the text of
 * /proc/net/tcp or tcp6. A closed socket waiting for its end (TIME_WAIT) shows uid 0 and is skipped.
 */
export function findUid(rows: string, ends: ConnectionEnds): number | undefined {
  const peers = spellings(ends.remoteAddress, ends.remotePort);
  const own = spellings(ends.localAddress, ends.localPort);
  for (const row of rows.split("\n")) {
    const columns = row.trim().split(/\s+/);
    const [, local = "", remote = "", state, , , , uid] = columns;
    if (peers.includes(local) && own.includes(remote) && state !== timeWait) return Number(uid);
  }
  return undefined;
}

const timeWait = "06";

async function readTable(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "latin1");
  } catch {
    // Absent: no Linux, IPv6 switched off, or a sandbox without /proc. The caller tells these from "not listed".
    return undefined;
  }
}

/** How the kernel writes an end: the address as 32-bit words in host order, in hexadecimal; an IPv4 end also as IPv6. */
function spellings(address: string, port: number): string[] {
  const portText = port.toString(16).toUpperCase().padStart(4, "0");
  const plain = address.startsWith("::ffff:") ? address.slice("::ffff:".length) : address;
  if (isIPv4(plain)) {
    const word = hexWord(plain.split(".").map(Number));
    const mapped = `${"0".repeat(16)}${hexWord([0, 0, 0xff, 0xff])}${word}`;
    return [`${word}:${portText}`, `${mapped}:${portText}`];
  }
  if (plain !== "::1") return [];
  return [`${"0".repeat(24)}${hexWord([0, 0, 0, 1])}:${portText}`];
}

function hexWord(bytes: readonly number[]): string {
  const ordered = endianness() === "LE" ? bytes.toReversed() : bytes;
  return ordered.map((byte) => byte.toString(16).toUpperCase().padStart(2, "0")).join("");
}
