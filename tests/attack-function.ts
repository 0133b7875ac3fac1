/**
 * What a hostile function tries. Served as a function it does what its input tells, one object with the name of a command
 * and its argument; run by `node -e`, what its first argument tells, and prints the outcome. Each answers
 * `{ value }`, or `{ error }` with the code or the sentence of what stopped it.
 */
export const attackFunction = `
const { createServer, request: httpRequest, ServerResponse } = require("node:http");
const { spawn, spawnSync } = require("node:child_process");
const fs = require("node:fs");
const net = require("node:net");
const { dirname, join } = require("node:path");
const kept = [];
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const until = (test) => { while (!test()); };
const commands = {
  echo: (value) => value,
  // Limits of time, memory, processes, files and descriptors.
  spin: (ms) => { const end = Date.now() + ms; until(() => Date.now() > end); return "spun"; },
  // Whoever counts memory now and then has the time to see it.
  hoard: async (mebibytes) => {
    for (let index = 0; index < mebibytes; index++) kept.push(Buffer.alloc(1024 * 1024, 1));
    await pause(600);
    return mebibytes;
  },
  // How many of so many children a program can have at once; it ends them.
  fork: (count) => {
    const script = "for (1.." + count + ") { $p = fork; last unless defined $p; if (!$p) { sleep 600; exit } push @p, $p }" +
      "print scalar @p; kill 9, @p";
    const { stdout, stderr } = spawnSync("/usr/bin/perl", ["-e", script], { encoding: "utf8" });
    return stdout === "" ? stderr : Number(stdout);
  },
  fill: async ({ directory, mebibytes }) => {
    const block = Buffer.alloc(1024 * 1024, 1);
    const files = [];
    try {
      for (let index = 0; index < mebibytes; index++) {
        files.push(join(directory, "fill-" + index));
        fs.writeFileSync(files.at(-1), block);
      }
      await pause(600);
      return mebibytes;
    } finally {
      for (const file of files) fs.rmSync(file, { force: true });
    }
  },
  inodes: async ({ directory, count }) => {
    for (let index = 0; index < count; index++) fs.closeSync(fs.openSync(join(directory, "inode-" + index), "w"));
    await pause(600);
    return count;
  },
  descriptors: (count) => {
    const open = [];
    try {
      for (let index = 0; index < count; index++) open.push(fs.openSync("/dev/null", "r"));
      return open.length;
    } finally {
      for (const descriptor of open) fs.closeSync(descriptor);
    }
  },
  flood: async (mebibytes) => {
    const block = "x".repeat(1024 * 1024);
    for (let index = 0; index < mebibytes; index++)
      await new Promise((resolve) => process.stdout.write(block, resolve));
    return mebibytes;
  },
  // Leaves its group, its session and its parent, and ignores what can be ignored; \`mark\` is found in its command line.
  daemonise: async (mark) => {
    process.on("SIGTERM", () => {});
    const script = "trap '' TERM HUP INT; exec -a " + mark + " sleep 600";
    spawn("setsid", ["bash", "-c", "(" + script + ") & exit"], { stdio: "ignore", detached: true }).unref();
    await pause(300);
    return "daemonised";
  },
  hang: async (mark) => {
    await commands.daemonise(mark);
    return new Promise(() => {});
  },
  exit: (code) => process.exit(code),
  raw: (bytes, request) => { request.socket.end(Buffer.from(bytes, "latin1")); return new Promise(() => {}); },
  twice: (_, request) => {
    const answer = "HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\n";
    request.socket.write(answer + '"one"' + answer + '"two"');
    return new Promise(() => {});
  },
  // What it can see and reach.
  environments: () => fs.readdirSync("/proc").filter((name) => /^\\d+$/.test(name))
    .map((pid) => { try { return fs.readFileSync("/proc/" + pid + "/environ", "utf8"); } catch { return ""; } }).join("\\n"),
  pids: () => fs.readdirSync("/proc").filter((name) => /^\\d+$/.test(name)).map(Number),
  list: (path) => fs.readdirSync(path),
  read: (path) => fs.readFileSync(path, "utf8").length,
  write: (path) => {
    for (const place of [dirname(path), path]) try { fs.chmodSync(place, 0o777); } catch {}
    fs.writeFileSync(path, "mine");
    return "written";
  },
  mounts: () => fs.readFileSync("/proc/self/mountinfo", "utf8"),
  status: () => fs.readFileSync("/proc/self/status", "utf8"),
  kill: ({ pid, signal }) => process.kill(pid, signal),
  socket: (path) => new Promise((resolve, reject) => {
    const socket = net.connect({ path }, () => resolve("connected"));
    socket.on("error", reject);
  }),
  reach: ({ host, port }) => new Promise((resolve, reject) => {
    const socket = net.connect({ host, port, timeout: 2000 }, () => { socket.destroy(); resolve("reached"); });
    socket.on("error", reject);
    socket.on("timeout", () => { socket.destroy(); reject(new Error("no answer")); });
  }),
  get: (url) => new Promise((resolve, reject) => {
    httpRequest(url, (answer) => { answer.resume(); resolve(answer.statusCode); }).on("error", reject).end();
  }),
  // syscall(2) with numbers; 0 or more is success.
  system: (words) => {
    const script = "$! = 0; $r = syscall(" + words.join(", ") + "); print $r < 0 ? 'E' . ($! + 0) : 'ok'";
    const { stdout, stderr, signal } = spawnSync("/usr/bin/perl", ["-e", script], { encoding: "utf8" });
    // A call that makes a process returns in both.
    if (!/^(ok)+$/.test(stdout)) throw new Error(stdout || signal || stderr);
    return "ok";
  },
  // What it could leave behind for a later call.
  patch: () => {
    ServerResponse.prototype.stolen = true;
    globalThis.leftBehind = "mine";
    process.env.LEFT_BEHIND = "mine";
    return "patched";
  },
  patched: () => [ServerResponse.prototype.stolen ?? null, globalThis.leftBehind ?? null, process.env.LEFT_BEHIND ?? null],
  own: () => join(dirname(require.main?.filename ?? "."), "func.js"),
};
async function outcome(text, request) {
  const [[name, argument]] = Object.entries(JSON.parse(text));
  try {
    return { value: await commands[name](argument, request) };
  } catch (error) {
    return { error: error.code ?? error.message };
  }
}
async function main() {
  if (process.env.FN_LISTENER === undefined) {
    for (const text of process.argv.slice(1)) console.log(JSON.stringify(await outcome(text)));
    return;
  }
  const listener = process.env.FN_LISTENER.slice("unix:".length);
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    response.end(JSON.stringify(await outcome(body, request)));
  });
  server.listen(join(dirname(listener), "phony.sock"), () => fs.symlinkSync("phony.sock", listener));
}
main();
`;
