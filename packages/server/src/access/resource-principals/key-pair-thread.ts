import { generateKeyPairSync } from "node:crypto";
import { setPriority } from "node:os";
import { parentPort } from "node:worker_threads";
import { assert } from "../../kernel/assert.ts";
import { type KeyPair, keyPairOptions } from "./key-pair.ts";

// Entry of the thread that makes key pairs: one for each message, about 40 ms of a core each.

const backgroundNiceness = 10;

const port = parentPort;
assert(port !== null, "this file is the entry of a worker thread");
// Linux takes 0 for this thread; elsewhere it would be the whole process.
if (process.platform === "linux") setPriority(0, backgroundNiceness);

port.on("message", () => {
  const pair: KeyPair = generateKeyPairSync("rsa", keyPairOptions);
  port.postMessage(pair);
});
