// @ts-check
"use strict";
// Runs Node with its inspector open and makes connections to it: whoever is outside cannot reach this network, so each is
// made here and handed over on the channel. The function runs in the child only, which has no channel.
const { spawn } = require("node:child_process");
const net = require("node:net");
const path = require("node:path");

/** @typedef {import("../assignment.ts").InspectorRequest} InspectorRequest */

const loopback = "127.0.0.1";
/** Node tells the port here, and the secret in the address, which is not for the function's log. */
const announcement = /^Debugger listening on ws:\/\/[^\n]*?:(\d+)\/[^\n]*\nFor help, see: [^\n]*\n/m;
const announcementBytesMax = 64 * 1024;
/** What it says at its end: the same address. Each of the two lines is one write. */
const farewell = /^(?:Debugger ending on ws:\/\/|For help, see: https:\/\/nodejs\.org\/)[^\n]*\n/gm;
/** A child may leave something behind that keeps its standard error open. */
const lastWordsMs = 100;

/** @param {{ readonly program: string, readonly words: readonly string[] }} assignment */
exports.run = function run({ program, words }) {
  const preload = path.join(__dirname, "inspected-main.cjs");
  const flags = [`--inspect-brk=${loopback}:0`, "--require", preload];
  const child = spawn(program, [...flags, ...words], { stdio: ["inherit", "inherit", "pipe"] });
  process.once("disconnect", () => child.kill("SIGKILL"));
  child.on("error", (error) => {
    process.stderr.write(`cannot start '${program}': ${error.message}\n`);
    process.exit(126);
  });
  child.on("exit", (code, signal) => {
    const end = () => (signal === null ? process.exit(code ?? 0) : process.kill(process.pid, signal));
    child.stderr.once("close", end);
    setTimeout(end, lastWordsMs);
  });
  takeAnnouncement(child.stderr, (port) => {
    process.on("message", (/** @type {InspectorRequest} */ { number }) => connect(port, number));
    process.send?.({ kind: "inspector-open" });
  });
};

/**
 * Everything else that is printed goes on as it comes.
 * @param {import("node:stream").Readable} stderr
 * @param {(port: number) => void} onPort
 */
function takeAnnouncement(stderr, onPort) {
  let text = "";
  stderr.on("data", function look(chunk) {
    text += chunk.toString("latin1");
    const found = announcement.exec(text);
    if (found === null && text.length < announcementBytesMax) return;
    stderr.off("data", look);
    stderr.off("end", giveUp);
    process.stderr.write(text.replace(announcement, ""), "latin1");
    // Writing to a pipe waits until there is room, so nothing gathers here.
    stderr.on("data", (later) => process.stderr.write(later.toString("latin1").replace(farewell, ""), "latin1"));
    if (found !== null) onPort(Number(found[1]));
  });
  stderr.once("end", giveUp);
  function giveUp() {
    process.stderr.write(text, "latin1");
  }
}

/** @param {number} port @param {number} number */
function connect(port, number) {
  const socket = net.connect({ host: loopback, port });
  socket.once("error", () => process.send?.({ kind: "inspector-refused", number }));
  socket.once("connect", () => {
    socket.removeAllListeners("error").on("error", () => {});
    process.send?.({ kind: "inspector-connected", number }, socket);
  });
}
