// @ts-check
"use strict";
// A process that was started before it is known what for: it warms up, waits for one assignment, becomes that, and leaves
// nothing of itself for the function to see.
//
// usage: node pre-started.cjs SOCKET-DIRECTORY (warm|bare|inspectable) (door|no-door) DESCRIPTOR
//
// On its channel it tells `{ kind: "ready" }`, with the port of its door and the listening handle where the door must be
// opened in its own network. It takes one `Assignment` (../assignment.ts), a line of JSON, from the descriptor, and waits
// for it inside of the reading: nothing wakes up sooner. An end of either before that is the server's end. Only what is
// inspectable keeps its channel.
const fs = require("node:fs");
const Module = require("node:module");
const path = require("node:path");
const net = require("node:net");
const { cachedScript } = require("./cached-script.cjs");

/** @typedef {import("../assignment.ts").Assignment} Assignment */

const [socketDirectory = "", manner, door, descriptor] = process.argv.slice(2);
/** What the channel adds to `process`. */
const channelProperties = ["channel", "connected", "disconnect", "send"];
const channelInternals = ["_channel", "_disconnect", "_handleQueue", "_pendingMessage", "_send"];
/** What else listens for these events is the channel's. */
const signalListeners = new Set(["startListeningIfSignal", "stopListeningIfSignal"]);
const shellPath = "/bin/sh";
const lineFeed = 0x0a;
const assignmentBytes = 64 * 1024;

void wait();

async function wait() {
  process.once("disconnect", () => process.exit());
  if (manner === "warm") await require("./warm-up.cjs").warmUp(path.join(socketDirectory, "w"));
  const own = door === "door" ? await openDoor() : undefined;
  await new Promise((sent) => process.send?.({ kind: "ready", doorPort: own?.port }, own?.server, {}, sent));
  own?.server.close();
  for (const name of Object.keys(process.env)) delete process.env[name];
  if (manner !== "inspectable") vanish();
  // When everything is closed that was, and from an empty stack.
  setImmediate(() => setImmediate(() => become(takeAssignment(Number(descriptor)))));
}

/** @returns {Promise<{ server: import("node:net").Server, port: number }>} */
function openDoor() {
  const server = net.createServer();
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      if (typeof address === "object" && address !== null) resolve({ server, port: address.port });
    });
  });
}

/**
 * @param {number} descriptor
 * @returns {Assignment}
 */
function takeAssignment(descriptor) {
  const chunks = [];
  for (let chunk = Buffer.alloc(0); chunk.at(-1) !== lineFeed; chunks.push(chunk)) {
    chunk = Buffer.allocUnsafe(assignmentBytes);
    chunk = chunk.subarray(0, fs.readSync(descriptor, chunk));
    if (chunk.length === 0) process.exit();
  }
  fs.closeSync(descriptor);
  return JSON.parse(Buffer.concat(chunks).toString());
}

/** @param {Assignment} assignment */
function become(assignment) {
  Object.assign(process.env, assignment.environment);
  process.umask(0o022);
  process.chdir(assignment.directory);
  // What is inspected runs as a child, which sees nothing of this process.
  if (assignment.kind === "inspect") return require("./inspected.cjs").run(assignment);
  switch (assignment.kind) {
    case "import":
      return runFile(assignment);
    case "stdio":
      return require("./stdio.cjs").serve(assignment.command);
    case "replace":
      return replace(assignment);
  }
}

/** Takes away what a process without a channel and modules of ours would not have. */
function vanish() {
  process.removeAllListeners("disconnect");
  process.disconnect?.();
  for (const name of ["message", "disconnect", "internalMessage"]) process.removeAllListeners(name);
  for (const event of ["newListener", "removeListener"])
    for (const listener of process.listeners(/** @type {any} */ (event)))
      if (!signalListeners.has(listener.name)) process.off(event, listener);
  const symbols = Object.getOwnPropertySymbols(process).filter(({ description }) => description === "kChannelHandle");
  for (const key of [...channelProperties, ...channelInternals, ...symbols]) Reflect.deleteProperty(process, key);
  // The second is no public interface; where it is absent there is nothing to forget.
  for (const memory of [require.cache, Reflect.get(Module, "_pathCache")])
    for (const key of Object.keys(memory ?? {})) Reflect.deleteProperty(memory, key);
}

/** @param {Extract<Assignment, { kind: "import" }>} assignment */
function runFile({ file, words, sourceMaps, codeCache }) {
  const main = path.resolve(file);
  process.argv = [process.execPath, main, ...words];
  if (sourceMaps) process.setSourceMapsEnabled(true);
  const cached = codeCache === undefined ? undefined : cachedScript(main, path.resolve(codeCache));
  if (cached !== undefined) return cached();
  // From an empty stack, so that no line of this file stands in the function's stack traces.
  setImmediate(/** @type {any} */ (Module).runMain, main);
}

/**
 * Becomes another program, as execvp(3) would.
 * @param {Extract<Assignment, { kind: "replace" }>} assignment
 */
function replace({ program, words }) {
  // What is ignored stays ignored in the new program, what is handled does not: Node ignores these two.
  for (const signal of ["SIGPIPE", "SIGXFSZ"]) process.on(signal, () => {});
  process.emitWarning = () => {};
  let failure = "ENOENT";
  for (const file of candidates(program)) {
    const code = tryExecve(file, [program, ...words]);
    if (code === "ENOEXEC") tryExecve(shellPath, [shellPath, file, ...words]);
    if (code !== "ENOENT" && code !== "ENOTDIR") failure = code;
  }
  const sentences = { ENOENT: "No such file or directory", EACCES: "Permission denied" };
  process.stderr.write(`cannot start '${program}': ${Reflect.get(sentences, failure) ?? failure}\n`);
  process.exit(failure === "ENOENT" ? 127 : 126);
}

/** @param {string} program */
function candidates(program) {
  if (program.includes("/")) return [program];
  return (process.env.PATH ?? "").split(":").map((directory) => path.join(directory || ".", program));
}

/**
 * Returns only when it failed: the error's code.
 * @param {string} file
 * @param {string[]} words
 * @returns {string}
 */
function tryExecve(file, words) {
  try {
    return process.execve?.(file, words, process.env) ?? "ENOSYS";
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}
