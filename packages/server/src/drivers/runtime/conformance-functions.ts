import { request } from "node:http";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import type { Instance } from "./driver.ts";

// The functions that the conformance suite starts: no FDK, so that each does exactly what its test is about.

const listen = `
const { createServer } = require("node:http");
const fs = require("node:fs");
const path = require("node:path");
const listener = process.env.FN_LISTENER.slice("unix:".length);
const directory = path.dirname(listener);
const phony = path.join(directory, "phonylsnr.sock");
`;

/** Answers each call with the outcome of the command in its body; `MODE` says how it makes its socket. */
export const obedient = `${listen}
const { spawn } = require("node:child_process");
const kept = [];
const commands = {
  echo: (value) => value,
  report: () => ({
    environment: process.env,
    directory: process.cwd(),
    argv: process.argv.slice(2),
    node: process.version,
    temporary: fs.readdirSync(process.env.TMPDIR),
    isTemporaryWritable: fs.writeFileSync(path.join(process.env.TMPDIR, "mine"), "x") === undefined,
    pid: process.pid,
  }),
  print: ({ stdout = "", stderr = "" }) => {
    process.stdout.write(stdout);
    process.stderr.write(stderr);
    return "printed";
  },
  knock: (text) => {
    const door = require("node:net").connect(new URL(process.env.OCI_LOCAL_ENDPOINT).port, "127.0.0.1");
    door.write(text);
    return new Promise((resolve, reject) => door.on("error", reject).on("data", (answer) => resolve(answer.toString())));
  },
  credential: (variable) => {
    const file = process.env[variable];
    const isOpen = [file, path.dirname(file)].some((one) => (fs.statSync(one).mode & 0o77) !== 0);
    return { path: file, text: fs.readFileSync(file, "utf8"), isOpen };
  },
  overwrite: (file) => {
    try {
      fs.writeFileSync(file, "forged");
    } catch ({ code }) {
      return code;
    }
  },
  // Until a text begins with the last word: lengths and letters of all that were seen.
  watch: async ({ variable, last }) => {
    const seen = new Set();
    for (let text = ""; !text.startsWith(last); await new Promise(setImmediate)) {
      text = fs.readFileSync(process.env[variable], "utf8");
      seen.add([...new Set(text)].join("") + text.length);
    }
    return [...seen];
  },
  exit: (code) => process.exit(code),
  signal: (name) => process.kill(process.pid, name),
  // Buffers lie outside of the heap, so no heap limit is in the way.
  hoard: (mebibytes) => {
    for (let index = 0; index < mebibytes; index++) kept.push(Buffer.alloc(1024 * 1024, 1));
    return "hoarded";
  },
  leak: () => {
    for (;;) kept.push({ text: "x" + kept.length });
  },
  // One child that stays in the group, and one whose parent has left it.
  breed: () => {
    const child = spawn("/bin/sh", ["-c", "sleep 600 & echo $!; exec sleep 600"], { stdio: ["ignore", "pipe", "ignore"] });
    return new Promise((resolve) => child.stdout.on("data", (text) => resolve([child.pid, Number(text)])));
  },
  spin: () => {
    for (;;);
  },
};
const server = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  const [[name, argument]] = Object.entries(JSON.parse(body || '{"echo":null}'));
  const value = await commands[name](argument);
  response.end(JSON.stringify({ path: request.url, value }));
});
const modes = {
  link: () => server.listen(phony, () => fs.symlinkSync("phonylsnr.sock", listener)),
  direct: () => server.listen(listener),
  rename: () => server.listen(phony, () => fs.renameSync(phony, listener)),
  late: () => setTimeout(modes.link, 300),
  abslink: () => server.listen(phony, () => fs.symlinkSync(phony, listener)),
  uplink: () => server.listen(phony, () => fs.symlinkSync(path.join("..", path.basename(directory), "phonylsnr.sock"), listener)),
  relink: () =>
    server.listen(phony, () => {
      fs.symlinkSync(phony, path.join(directory, "other"));
      fs.symlinkSync("other", listener);
    }),
  never: () => setInterval(() => {}, 1000),
  file: () => modes.never(fs.writeFileSync(listener, "not a socket")),
  folder: () => modes.never(fs.mkdirSync(listener)),
  exit: () => {
    console.error("cannot go on");
    process.exit(3);
  },
  segv: () => process.kill(process.pid, "SIGSEGV"),
  throw: () => {
    throw new Error("import failed");
  },
  finish: () => {},
};
modes[process.env.MODE || "link"]();
`;

/** Uses npm's stock FDK at `fdkPath`. */
export function stockFunction(fdkPath: string): string {
  return `
const fdk = require(${JSON.stringify(fdkPath)});
fdk.handle((input, context) => ({ greeting: "Hello " + input.name, functionName: context.fnName, callId: context.callID }));
`;
}

/** An ES module in TypeScript that answers with its own version of the code. */
export function typescriptFunction(answer: string): string {
  return `
import { createServer } from "node:http";
import { symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
const listener: string = (process.env.FN_LISTENER ?? "").slice("unix:".length);
interface Answer { readonly value: string }
const answer: Answer = { value: ${JSON.stringify(answer)} };
createServer((_request, response) => { response.end(JSON.stringify(answer)); })
  .listen(join(dirname(listener), "phonylsnr.sock"), () => symlinkSync("phonylsnr.sock", listener));
`;
}

/** One call as Fn's contract has it; its answer is whatever the function of the test says, as JSON. */
export async function callInstance(
  instance: Instance,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
  // biome-ignore lint/suspicious/noExplicitAny: the functions answer with JSON of many forms, and each test looks at its own.
): Promise<any> {
  const response = await new Promise<Readable>((resolve, reject) => {
    const options = { method: "POST", path: "/call", headers: { host: "localhost", ...headers } };
    const outgoing = request({ ...options, createConnection: () => instance.connect() }, resolve);
    outgoing.on("error", reject);
    outgoing.end(JSON.stringify(body));
  });
  return JSON.parse(await text(response));
}
