import { describe, expect, it } from "vitest";
import { findUid } from "./peer-uid.ts";
import { plainAddress } from "./peers.ts";

const header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
const row = (local: string, remote: string, state: string, uid: number) =>
  `   0: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000  ${uid}        0 12345 1 0000000000000000`;
const ends = { remoteAddress: "127.0.0.1", remotePort: 40_000, localAddress: "127.0.0.1", localPort: 8080 };

describe("the uid of a peer in the kernel's table", () => {
  it("is that of the socket whose ends are ours the other way round", () => {
    const rows = [
      header,
      row("0100007F:1F90", "00000000:0000", "0A", 1),
      row("0100007F:1F90", "0100007F:9C40", "01", 2),
      row("0100007F:9C40", "0100007F:1F91", "01", 3),
      row("0100007F:9C40", "0100007F:1F90", "06", 0),
      row("0100007F:9C40", "0100007F:1F90", "01", 1000),
    ].join("\n");
    expect(findUid(rows, ends)).toBe(1000);
    expect(findUid(rows, { ...ends, remotePort: 40_001 })).toBeUndefined();
    expect(findUid(header, ends)).toBeUndefined();
  });

  it("is found for IPv6, and for IPv4 in the spelling of IPv6", () => {
    const six = "00000000000000000000000001000000";
    const rows = row(`${six}:9C40`, `${six}:1F90`, "01", 1000);
    expect(findUid(rows, { ...ends, remoteAddress: "::1", localAddress: "::1" })).toBe(1000);
    const mapped = "0000000000000000FFFF00000100007F";
    expect(findUid(row(`${mapped}:9C40`, `${mapped}:1F90`, "01", 1000), ends)).toBe(1000);
    const listeningOnBoth = { ...ends, remoteAddress: "::ffff:127.0.0.1", localAddress: "::ffff:127.0.0.1" };
    expect(findUid(row("0100007F:9C40", "0100007F:1F90", "01", 1000), listeningOnBoth)).toBe(1000);
  });
});

it("spells an IPv4 peer one way", () => {
  expect(plainAddress("::ffff:10.0.0.1")).toBe("10.0.0.1");
  expect(plainAddress("::1")).toBe("::1");
});
