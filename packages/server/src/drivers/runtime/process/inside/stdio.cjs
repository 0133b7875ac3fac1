// @ts-check
"use strict";
// Serves Fn's contract for a program that knows nothing of it: run once a call, with the body as its input, its output
// as the answer and its exit code as the verdict (Fn's hotwrap).
const { spawn } = require("node:child_process");
const { chmodSync, symlinkSync } = require("node:fs");
const { createServer } = require("node:http");
const path = require("node:path");

/** @typedef {import("node:http").IncomingMessage} IncomingMessage */
/** @typedef {import("node:http").ServerResponse} ServerResponse */

const headerBytesMax = 1024 * 1024;
/** An answer begins when so much of it is there, or so long after its first byte: a failure until then is a clean one. */
const heldBytesMax = 64 * 1024;
const heldMs = 20;

/** @param {readonly string[]} command */
exports.serve = function serve(command) {
  const options = { maxHeaderSize: headerBytesMax, requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 0 };
  const server = createServer(options, (request, response) => {
    if (request.method === "POST" && request.url === "/call") return run(command, request, response);
    request.resume();
    fail(response, 400, `A function takes POST /call only, not ${request.method} ${request.url}`);
  });
  const listener = (process.env.FN_LISTENER ?? "").slice("unix:".length);
  const phony = path.join(path.dirname(listener), "fdk.sock");
  server.listen(phony, () => {
    chmodSync(phony, 0o666);
    symlinkSync(path.basename(phony), listener);
  });
};

/**
 * @param {readonly string[]} command
 * @param {IncomingMessage} request
 * @param {ServerResponse} response
 */
function run([program = "", ...words], request, response) {
  const child = spawn(program, words, { env: callEnvironment(request), stdio: ["pipe", "pipe", "inherit"] });
  const answer = new HeldAnswer(response);
  // A program need not read its input, and one that has ended cannot.
  child.stdin.on("error", () => request.resume());
  request.pipe(child.stdin);
  child.stdout.on("data", (chunk) => answer.write(chunk) || child.stdout.pause());
  response.on("drain", () => child.stdout.resume());
  response.on("close", () => child.kill("SIGKILL"));
  child.on("error", (error) => {
    const code = "code" in error ? error.code : error.message;
    answer.fail(code === "ENOENT" ? `there is no program '${program}'` : `'${program}' cannot be started: ${code}`);
  });
  child.on("close", (code, signal) => {
    if (code === 0) answer.end();
    else
      answer.fail(signal === null ? `the command ended with exit code ${code}` : `the command was ended by ${signal}`);
  });
}

/**
 * The configuration, and under names that it does not have, what is known about the call.
 * @param {IncomingMessage} request
 */
function callEnvironment(request) {
  /** @type {Record<string, string | undefined>} */
  const call = {};
  for (const [name, values] of Object.entries(request.headersDistinct))
    if (name.startsWith("fn-")) call[name.toUpperCase().replaceAll("-", "_")] = values?.[0];
  const contentType = request.headers["content-type"];
  if (contentType !== undefined) call.FN_CONTENT_TYPE = contentType;
  return { ...call, ...process.env };
}

/** The first bytes of an answer wait for a moment, because a program that fails at once has no answer. */
class HeldAnswer {
  #response;
  /** @type {Buffer[]} */
  #held = [];
  #heldBytes = 0;
  #isSent = false;
  /** @type {NodeJS.Timeout | undefined} */
  #timer;

  /** @param {ServerResponse} response */
  constructor(response) {
    this.#response = response;
  }

  /**
   * false: the caller must wait for `drain`.
   * @param {Buffer} chunk
   */
  write(chunk) {
    if (this.#isSent) return this.#response.write(chunk);
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    this.#timer ??= setTimeout(() => this.#send(), heldMs);
    return this.#heldBytes < heldBytesMax || this.#send();
  }

  end() {
    if (!this.#isSent) this.#response.writeHead(200, { "Content-Length": this.#heldBytes });
    clearTimeout(this.#timer);
    this.#response.end(this.#isSent ? undefined : Buffer.concat(this.#held));
  }

  /** @param {string} sentence */
  fail(sentence) {
    clearTimeout(this.#timer);
    if (this.#response.destroyed) return;
    process.stderr.write(`${sentence}\n`);
    // Half an answer must not look like a whole one.
    if (this.#isSent) this.#response.destroy();
    else fail(this.#response, 502, sentence);
    this.#isSent = true;
  }

  #send() {
    if (this.#isSent) return true;
    this.#isSent = true;
    clearTimeout(this.#timer);
    this.#response.writeHead(200);
    return this.#response.write(Buffer.concat(this.#held));
  }
}

/**
 * @param {ServerResponse} response
 * @param {number} status
 * @param {string} message
 */
function fail(response, status, message) {
  const body = JSON.stringify({ message });
  response
    .writeHead(status, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) })
    .end(body);
}
