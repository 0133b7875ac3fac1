import { spawn } from "node:child_process";
import { once } from "node:events";
import { buffer } from "node:stream/consumers";

const timeoutMs = 10_000;

/**
 * Compiles the script on standard input, all of its functions at once, runs none of it, and writes V8's cache of that
 * to standard output. Lazy compilation is back before the cache is made: V8 refuses caches of other settings.
 */
const program = `
const { wrap } = require("node:module");
const { setFlagsFromString } = require("node:v8");
const { Script } = require("node:vm");
const source = require("node:fs").readFileSync(0, "utf8");
setFlagsFromString("--no-lazy");
const script = new Script(wrap(source));
setFlagsFromString("--lazy");
process.stdout.write(script.createCachedData());
`;

/**
 * V8's code cache of a CommonJS script, for `new vm.Script(Module.wrap(source), { cachedData })` in the same Node. The
 * same script gives the same bytes. Undefined when none could be made: nothing depends on it. A short script gains too:
 * what its first call runs is compiled already. A process of its own makes it: the settings of this one must not get into
 * the cache.
 */
export async function codeCache(script: Uint8Array): Promise<Uint8Array | undefined> {
  // Without a seed of its own V8 hashes names differently in each process.
  const child = spawn(process.execPath, ["--random-seed=1", "-e", program], {
    env: {},
    stdio: ["pipe", "pipe", "ignore"],
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
  // It ends early when it cannot compile the script; Node says so when the function starts.
  child.stdin.on("error", () => {}).end(script);
  const [cache, [code]] = await Promise.all([buffer(child.stdout), once(child, "close")]);
  return code === 0 && cache.length > 0 ? cache : undefined;
}
