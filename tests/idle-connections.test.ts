import { connect, type Socket } from "node:net";
import { expect, it } from "vitest";
import { residentBytes } from "./processes.ts";
import { startServerProcess } from "./server-process.ts";

const connections = 10_000;
const atOnce = 500;

it("keeps 10,000 idle connections in bounded memory and serves new ones beside them", async () => {
  await using server = await startServerProcess();
  const pid = server.child.pid ?? 0;
  const { hostname, port } = new URL(server.url);
  const open = () => openIdle(hostname, Number(port));
  const first = await Promise.all(Array.from({ length: atOnce }, open));
  const baseline = residentBytes(pid);
  const sockets: Socket[] = [...first];
  while (sockets.length < connections) sockets.push(...(await Promise.all(Array.from({ length: atOnce }, open))));
  const bytesEach = (residentBytes(pid) - baseline) / (connections - atOnce);
  console.log(`${Math.round(bytesEach / 1024)} KiB for each idle connection`);
  expect(bytesEach).toBeLessThan(32 * 1024);
  expect((await fetch(`${server.url}/v2/apps`)).status).toBe(200);
  expect(sockets.filter((socket) => socket.destroyed)).toEqual([]);
  for (const socket of sockets) socket.destroy();
}, 60_000);

/** A connection on which one request was answered. */
function openIdle(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host, () => socket.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    socket.once("error", reject);
    socket.once("data", () => resolve(socket));
  });
}
