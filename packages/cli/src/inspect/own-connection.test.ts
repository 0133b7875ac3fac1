import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { expect, it } from "vitest";
import { isOwnConnection, uidOf } from "./own-connection.ts";

const ours = "   4: 0100007F:240D 0100007F:E07A 01 00000000:00000000 00:00000000 00000000     0        0 1 1";
const theirs = "   5: 0100007F:E07A 0100007F:240D 01 00000000:00000000 00:00000000 00000000  1001        0 2 1";
const gone = "   6: 0100007F:E07B 0100007F:240D 06 00000000:00000000 00:00000000 00000000     0        0 3 1";

it("reads whose the other end of a connection is", () => {
  const rows = ["  sl  local_address rem_address   st", ours, theirs, gone].join("\n");
  expect(uidOf(rows, { localPort: 0x240d, remotePort: 0xe07a })).toBe(1001);
  expect(uidOf(rows, { localPort: 0x240d, remotePort: 0xe07b })).toBeUndefined();
  expect(uidOf(rows, { localPort: 0x240d, remotePort: 1 })).toBeUndefined();
});

it("knows a connection of the same user", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  // A listener on TCP has an address of this kind.
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [accepted]: Socket[] = await once(server, "connection");
  expect(accepted && (await isOwnConnection(accepted))).toBe(true);
  client.destroy();
  server.close();
});
