/**
 * A function without an FDK that does whatever its input tells: one object with the name of a command and its argument.
 * Its configuration says how it starts: `START` is `listen` (also when absent), `never`, `exit` or `throw`.
 */
export const wildFunction = `
const { createServer, request: httpRequest } = require("node:http");
const { spawn } = require("node:child_process");
const { appendFileSync, readdirSync, readlinkSync, symlinkSync, writeFileSync } = require("node:fs");
const { dirname, join } = require("node:path");
const kept = [];
const commands = {
  echo: (value) => value,
  environment: () => process.env,
  headers: (_, request) => request.rawHeaders,
  pid: () => process.pid,
  // Its own descriptors but the one that reads the list.
  descriptors: () =>
    readdirSync("/proc/self/fd").flatMap((fd) => {
      try {
        return [[fd, readlinkSync("/proc/self/fd/" + fd)]];
      } catch {
        return [];
      }
    }),
  temporary: (text) => {
    const there = readdirSync(process.env.TMPDIR);
    writeFileSync(join(process.env.TMPDIR, "note"), text);
    return { directory: process.env.TMPDIR, there };
  },
  // Writes these bytes instead of an answer; \`pad\` more for what is too large to be told.
  raw: ({ bytes, pad = 0, endMs = 0 }, request) => {
    const padded = bytes.replace("PAD", "p".repeat(pad));
    request.socket.write(Buffer.from(padded, "latin1"));
    if (endMs === 0) request.socket.end();
    else setTimeout(() => request.socket.end(), endMs);
    return never;
  },
  status: (code, _, response) => void response.writeHead(code),
  exit: (code) => process.exit(code),
  signal: (name) => {
    process.kill(process.pid, name);
    return never;
  },
  // Buffers lie outside of the heap, so no heap limit is in the way.
  hoard: (mebibytes) => {
    for (let index = 0; index < mebibytes; index++) kept.push(Buffer.alloc(1024 * 1024, 1));
    return never;
  },
  // Tells its pid and that of a child, then never answers.
  hang: ({ file, spins }) => {
    const child = spawn("/bin/sleep", ["600"], { stdio: "ignore" });
    writeFileSync(file, process.pid + " " + child.pid);
    while (spins);
    return never;
  },
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  note: ({ file, ms = 0 }, request) => {
    const { "fn-call-id": id, "chaya-attempt": attempt } = request.headers;
    appendFileSync(file, id + " " + attempt + "\\n");
    return commands.sleep(ms);
  },
  // Calls itself, passing the platform's call context on.
  circle: (url, request) =>
    new Promise((resolve, reject) => {
      const headers = { "Chaya-Chain": request.headers["chaya-chain"] };
      const outgoing = httpRequest(url, { method: "POST", headers }, async (answer) => {
        let text = "";
        for await (const chunk of answer) text += chunk;
        const inner = JSON.parse(text);
        resolve("inner" in inner ? inner : { inner: { status: answer.statusCode, ...inner } });
      });
      outgoing.on("error", reject);
      outgoing.end(JSON.stringify({ circle: url }));
    }),
};
const never = new Promise(() => {});
const server = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  const [[name, argument]] = Object.entries(JSON.parse(body || '{"echo":null}'));
  const value = await commands[name](argument, request, response);
  response.end(JSON.stringify(value ?? null));
});
const listener = process.env.FN_LISTENER.slice("unix:".length);
const phony = join(dirname(listener), "phony.sock");
const starts = {
  listen: () => server.listen(phony, () => symlinkSync("phony.sock", listener)),
  never: () => setInterval(() => {}, 1000),
  exit: () => process.exit(3),
  throw: () => {
    throw new Error("import failed");
  },
};
starts[process.env.START || "listen"]();
`;
