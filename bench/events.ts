// Server-sent events of a function, 100 ms apart: how long each takes from its write to its reader.
import { deployFunction, fdkFolder } from "./lib/deploy.ts";
import { median, verdict } from "./lib/load.ts";
import { startChaya } from "./lib/tools.ts";

const code = `
const { createServer } = require("node:http");
const { symlinkSync } = require("node:fs");
const { dirname, join } = require("node:path");
const listener = process.env.FN_LISTENER.slice("unix:".length);
const phony = join(dirname(listener), "phony.sock");
createServer(async (request, response) => {
  request.resume();
  response.setHeader("Content-Type", "text/event-stream");
  for (let event = 0; event < 20; event++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    response.write("data: " + (performance.timeOrigin + performance.now()) + "\\n\\n");
  }
  response.end();
}).listen(phony, () => symlinkSync("phony.sock", listener));
`;

const chaya = await startChaya();
try {
  const id = await deployFunction(chaya.url, {
    app: "bench",
    name: "events",
    folder: fdkFolder(code),
    entrypoint: ["node", "func.js"],
  });
  const answer = await fetch(new URL(`/invoke/${id}`, chaya.url), { method: "POST" });
  const delaysMs: number[] = [];
  for await (const chunk of answer.body ?? []) {
    const nowMs = performance.timeOrigin + performance.now();
    for (const [, writtenMs] of Buffer.from(chunk)
      .toString()
      .matchAll(/data: ([\d.]+)\n\n/g))
      delaysMs.push(nowMs - Number(writtenMs));
  }
  console.log(`${delaysMs.length} events, median ${median(delaysMs).toFixed(2)} ms`);
  const slowest = Math.max(...delaysMs);
  verdict("the slowest event", `${slowest.toFixed(1)} ms`, "≤ 30 ms", slowest <= 30 && delaysMs.length === 20);
} finally {
  await chaya.stop();
}
