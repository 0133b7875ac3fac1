// @ts-check
"use strict";
// Heats what nearly every function needs on its first call, so that the call itself does not pay for it. Nothing of it
// stays to be seen: the socket is gone, no listener, timer or global is left.
const { AsyncLocalStorage } = require("node:async_hooks");
const fs = require("node:fs");
const http = require("node:http");
const Module = require("node:module");
const net = require("node:net");
const path = require("node:path");
const { cachedScript } = require("./cached-script.cjs");

/** What the usual packages import: loading them now takes about 20 ms off a large function's start. */
const builtins = [
  ...["assert", "buffer", "child_process", "console", "constants", "crypto", "diagnostics_channel", "dns", "events"],
  ...["fs/promises", "http2", "https", "os", "perf_hooks", "process", "punycode", "querystring", "readline", "stream"],
  ...["stream/promises", "stream/web", "string_decoder", "timers", "timers/promises", "tls", "tty", "url", "util"],
  ...["util/types", "v8", "vm", "worker_threads", "zlib"],
];
const calls = 4;

/**
 * Serves a few calls to itself over a UNIX socket at `socketPath`, the way FDKs do.
 * @param {string} socketPath
 */
async function warmUp(socketPath) {
  const { emitWarning } = process;
  // Some builtins are deprecated, which is for their importers to hear.
  process.emitWarning = () => {};
  for (const name of builtins) require(`node:${name}`);
  process.emitWarning = emitWarning;
  // Made when first used; nothing is written.
  void [process.stdin, process.stdout, process.stderr, console.log, Response, Blob];
  await import("./warm-module.mjs");
  const main = path.join(__dirname, "warm-main.cjs");
  /** @type {any} */ (Module).runMain(main);
  process.setSourceMapsEnabled(true);
  // V8 refuses such a cache; all other steps are the same.
  cachedScript(main, main)?.();
  await new Promise((resolve) => setImmediate(resolve));
  process.setSourceMapsEnabled(false);
  await callItself(socketPath);
}

/** @param {string} socketPath */
async function callItself(socketPath) {
  const storage = new AsyncLocalStorage();
  const server = http.createServer((request, response) => storage.run({}, () => answer(request, response)));
  await new Promise((resolve) => server.listen(socketPath, () => resolve(fs.chmodSync(socketPath, 0o666))));
  const link = `${socketPath}.link`;
  fs.symlinkSync(path.basename(socketPath), link);
  // With a body and without one, in turn.
  for (let call = 0; call < calls; call++) await oneCall(link, call % 2 === 0 ? "" : '{"name":"warm"}');
  fs.rmSync(link);
  await new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
}

/**
 * @param {import("node:http").IncomingMessage} request
 * @param {import("node:http").ServerResponse} response
 */
async function answer(request, response) {
  response.on("close", () => {});
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = new TextDecoder().decode(Buffer.concat(chunks));
  request.resume();
  const json = JSON.stringify({ ...JSON.parse(text || "{}"), atMs: new Date().toISOString() });
  if (text === "") {
    const body = Buffer.from(json);
    const headers = new Headers({ "content-type": "application/json", "content-length": String(body.length) });
    response.writeHead(200, [...headers].flat()).end(body);
    return;
  }
  response.setHeader("Content-Type", "application/json");
  response.writeHead(200, { "Fn-Fdk-Version": "warm" });
  response.write(json);
  response.end();
}

/**
 * As the platform sends it.
 * @param {string} socketPath
 * @param {string} body
 */
function oneCall(socketPath, body) {
  const head = ["POST /call HTTP/1.1", "Host: localhost", "Content-Type: application/json", "Fn-Call-Id: warm"];
  const chunk = body === "" ? "" : `${body.length.toString(16)}\r\n${body}\r\n`;
  return new Promise((resolve, reject) => {
    const socket = net.connect(socketPath);
    socket.on("error", reject);
    socket.on("data", (chunk) => {
      // The end of a JSON object, or of a chunked body.
      if (!/(\}|0\r\n\r\n)$/.test(chunk.toString())) return;
      socket.destroy();
      resolve(undefined);
    });
    socket.write(`${head.join("\r\n")}\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}0\r\n\r\n`);
  });
}

module.exports = { warmUp };
