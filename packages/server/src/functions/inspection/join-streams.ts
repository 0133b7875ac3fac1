import type { Duplex } from "node:stream";

/** Passes everything on between the two, until either ends or fails; then both are closed. Resolves when they are. */
export async function joinStreams(one: Duplex, other: Duplex): Promise<void> {
  const closed = Promise.all([one, other].map(untilClosed));
  for (const [stream, peer] of [[one, other] as const, [other, one] as const]) {
    stream.on("error", () => stream.destroy());
    void untilClosed(stream).then(() => finish(peer));
    stream.pipe(peer);
  }
  await closed;
}

function untilClosed(stream: Duplex): Promise<void> {
  return new Promise((resolve) => {
    if (stream.closed) resolve();
    else stream.once("close", resolve);
  });
}

/** What was passed on to it before still arrives. */
function finish(stream: Duplex): void {
  if (stream.writableFinished) stream.destroy();
  else stream.once("finish", () => stream.destroy()).end();
}
