import { parentPort } from "node:worker_threads";
import { assert } from "../../kernel/assert.ts";
import type { RenderRequest } from "./metrics-renderer.ts";
import { renderMetrics } from "./render-metrics.ts";

/** The thread that renders metrics: keeps the names of the rows, answers each request with encoded text. */
const port = parentPort;
assert(port !== null, "this file is the entry of a worker thread");
const names: string[] = [];
const chunkChars = 256 * 1024;

port.on("message", ({ newNames, figures }: RenderRequest) => {
  // A call for each name: spreading a long list would overflow the stack.
  if (newNames !== "") for (const name of newNames.split("\u0000")) names.push(name);
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let text = "";
  for (const piece of renderMetrics(figures, names)) {
    text += piece;
    if (text.length < chunkChars) continue;
    chunks.push(new TextEncoder().encode(text));
    text = "";
  }
  chunks.push(new TextEncoder().encode(text));
  port.postMessage(
    chunks,
    chunks.map((chunk) => chunk.buffer),
  );
});
