// Latency of one call after the other, by one client for a TCP port and a UNIX socket alike: wrk knows no UNIX sockets.
import { connect, type NetConnectOpts } from "node:net";

export interface AskedPath {
  readonly path: string;
  /** Further lines, each with its end. */
  readonly headers?: string;
}

/** Milliseconds from the first byte of a request to the last of its answer, `count` times over one connection. */
export async function latencies(
  target: NetConnectOpts,
  { path, headers = "" }: AskedPath,
  count: number,
): Promise<readonly number[]> {
  const body = "x".repeat(100);
  const request = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n${headers}\r\n${body}`;
  const socket = connect(target).setNoDelay();
  const measured: number[] = [];
  await new Promise<void>((resolve, reject) => {
    let answer = "";
    let startedMs = 0;
    const ask = () => {
      answer = "";
      startedMs = performance.now();
      socket.write(request);
    };
    socket.once("connect", ask).once("error", reject).setEncoding("latin1");
    socket.on("data", (text: string) => {
      answer += text;
      if (!isWhole(answer)) return;
      measured.push(performance.now() - startedMs);
      if (measured.length < count) ask();
      else resolve();
    });
  });
  socket.destroy();
  return measured;
}

function isWhole(answer: string): boolean {
  const head = answer.indexOf("\r\n\r\n");
  const length = /^content-length: (\d+)/im.exec(answer)?.[1];
  return head !== -1 && length !== undefined && answer.length === head + 4 + Number(length);
}
