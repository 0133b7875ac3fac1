import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { lstat, mkdtemp, readlink, rm, stat, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const fdk = fileURLToPath(new URL("./index.ts", import.meta.url));
let directory: string;
let children: ChildProcess[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "chaya-fdk-"));
  children = [];
});
afterEach(async () => {
  for (const child of children) child.kill("SIGKILL");
  await rm(directory, { recursive: true, force: true });
});

interface Started {
  readonly child: ChildProcess;
  readonly output: { stdout: string; stderr: string };
}

async function start(source: string, environment: Record<string, string>): Promise<Started> {
  const file = join(directory, "func.mjs");
  await writeFile(file, source.replace("@chaya/fdk", fdk));
  const child = spawn(process.execPath, [file], { env: environment, stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  const output = { stdout: "", stderr: "" };
  child.stdout?.on("data", (chunk) => {
    output.stdout += chunk;
  });
  child.stderr?.on("data", (chunk) => {
    output.stderr += chunk;
  });
  return { child, output };
}

async function connectWhenListening(path: string, child: ChildProcess): Promise<Socket> {
  while (child.exitCode === null) {
    const socket = connect(path);
    const outcome = await new Promise<string>((resolve) => {
      socket.once("connect", () => resolve("connected")).once("error", () => resolve("not yet"));
    });
    if (outcome === "connected") return socket;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error("the function ended before it listened");
}

async function exchange(socket: Socket, request: string): Promise<string> {
  socket.write(request);
  let answer = "";
  for await (const chunk of socket) {
    answer += chunk;
    const head = answer.indexOf("\r\n\r\n");
    const length = /content-length: (\d+)/i.exec(answer)?.[1];
    if (head >= 0 && length !== undefined && answer.length >= head + 4 + Number(length)) break;
    if (answer.endsWith("0\r\n\r\n")) break;
  }
  return answer;
}

const greeter = `import { handle } from "@chaya/fdk"; handle((input) => ({ hello: input?.name ?? "nobody" }));`;

describe("a function process", () => {
  it("listens under another name, opens the socket to everyone, then links it relatively", async () => {
    const path = join(directory, "lsnr.sock");
    const { child } = await start(greeter, { FN_FORMAT: "http-stream", FN_LISTENER: `unix:${path}` });
    const socket = await connectWhenListening(path, child);
    expect((await lstat(path)).isSymbolicLink()).toBe(true);
    expect(await readlink(path)).toBe("fdk.sock");
    expect((await stat(path)).isSocket()).toBe(true);
    expect((await stat(path)).mode & 0o777).toBe(0o666);
    socket.destroy();
  });

  it("takes the place of a socket that an earlier process left behind", async () => {
    const path = join(directory, "lsnr.sock");
    const environment = { FN_FORMAT: "HTTP-Stream", FN_LISTENER: `unix:${path}` };
    const first = await start(greeter, environment);
    (await connectWhenListening(path, first.child)).destroy();
    first.child.kill("SIGKILL");
    await once(first.child, "exit");
    const second = await start(greeter, environment);
    const socket = await connectWhenListening(path, second.child);
    const answer = await exchange(
      socket,
      'POST /call HTTP/1.1\r\nHost: localhost\r\nContent-Length: 14\r\n\r\n{"name":"Ada"}',
    );
    expect(answer).toContain('{"hello":"Ada"}');
    socket.destroy();
  });

  it("answers with the FDK's headers, keeps the connection, and takes chunked and empty bodies", async () => {
    const path = join(directory, "lsnr.sock");
    const { child } = await start(greeter, { FN_FORMAT: "http-stream", FN_LISTENER: `unix:${path}` });
    const head = "POST /call HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    const requests = [`${head}0\r\n\r\n`, `${head}7\r\n{"name"\r\n6\r\n:"Bo"}\r\n0\r\n\r\n`];
    const socket = await connectWhenListening(path, child);
    socket.write(requests.join(""));
    let answers = "";
    for await (const chunk of socket) {
      answers += chunk;
      if (answers.includes('{"hello":"Bo"}')) break;
    }
    expect(answers).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(answers).toContain('{"hello":"nobody"}');
    expect(answers).toMatch(/Fn-Fdk-Version: chaya-fdk\/\d+\.\d+\.\d+ \(njsv=v\d+/);
    expect(answers).toMatch(/Fn-Fdk-Runtime: node\/\d+\./);
  });

  it.each([
    ["GET /call", "GET /call HTTP/1.1\r\nHost: localhost\r\n\r\n"],
    ["POST /other", "POST /other HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"],
  ])("refuses %s with 400", async (_name, request) => {
    const path = join(directory, "lsnr.sock");
    const { child } = await start(greeter, { FN_FORMAT: "http-stream", FN_LISTENER: `unix:${path}` });
    const answer = await exchange(await connectWhenListening(path, child), request);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain("A function takes POST /call only");
  });

  it.each([
    ["without any variable", {}, "This file is a function"],
    [
      "with another format",
      { FN_FORMAT: "json", FN_LISTENER: "unix:/tmp/x" },
      "FN_FORMAT must be 'http-stream', not 'json'.",
    ],
    ["with another scheme", { FN_FORMAT: "http-stream", FN_LISTENER: "tcp:1" }, "FN_LISTENER must be 'unix:'"],
    ["with a relative path", { FN_FORMAT: "http-stream", FN_LISTENER: "unix:x" }, "FN_LISTENER must be 'unix:'"],
    ["with a path too long", { FN_FORMAT: "http-stream", FN_LISTENER: `unix:/${"x".repeat(107)}` }, "107 bytes"],
  ])("ends with code 2 and a sentence when started %s", async (_name, environment, sentence) => {
    const { child, output } = await start(greeter, environment);
    await once(child, "close");
    expect(child.exitCode).toBe(2);
    expect(output.stderr).toContain(sentence);
  });

  it("ends with code 3 and a sentence when the socket cannot be made", async () => {
    const { child, output } = await start(greeter, {
      FN_FORMAT: "http-stream",
      FN_LISTENER: `unix:${directory}/missing/lsnr.sock`,
    });
    await once(child, "close");
    expect(child.exitCode).toBe(3);
    expect(output.stderr).toContain("The function cannot listen at");
  });

  it("fails a call with 502 and prints the stack, and lives on", async () => {
    const path = join(directory, "lsnr.sock");
    const source = `import { handle } from "@chaya/fdk"; handle(() => { throw new Error("no such album"); });`;
    const { child, output } = await start(source, { FN_FORMAT: "http-stream", FN_LISTENER: `unix:${path}` });
    const request = "POST /call HTTP/1.1\r\nHost: localhost\r\nFn-Call-Id: 01C\r\nContent-Length: 0\r\n\r\n";
    for (let round = 0; round < 2; round++) {
      const answer = await exchange(await connectWhenListening(path, child), request);
      expect(answer).toMatch(/^HTTP\/1\.1 502 /);
      expect(answer).not.toContain("no such album");
    }
    expect(output.stderr).toContain("Error in function (call 01C): Error: no such album");
    expect(output.stderr).toMatch(/at .*func\.mjs:1/);
  });

  it("frames its output per call when the platform asks for it", async () => {
    const path = join(directory, "lsnr.sock");
    const { child, output } = await start(greeter, {
      FN_FORMAT: "http-stream",
      FN_LISTENER: `unix:${path}`,
      FN_LOGFRAME_NAME: "frame",
      FN_LOGFRAME_HDR: "fn-call-id",
    });
    const request = "POST /call HTTP/1.1\r\nHost: localhost\r\nFn-Call-Id: 01FRAME\r\nContent-Length: 0\r\n\r\n";
    await exchange(await connectWhenListening(path, child), request);
    child.kill();
    await once(child, "close");
    expect(output.stdout).toBe("\nframe=01FRAME\n");
    expect(output.stderr).toBe("\nframe=01FRAME\n");
  });

  it("can be loaded by a CommonJS file", async () => {
    const path = join(directory, "lsnr.sock");
    const source = `import { createRequire } from "node:module"; const require = createRequire(import.meta.url);
      require("@chaya/fdk").handle(() => "from require");`;
    const { child } = await start(source, { FN_FORMAT: "http-stream", FN_LISTENER: `unix:${path}` });
    const request = "POST /call HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
    expect(await exchange(await connectWhenListening(path, child), request)).toContain('"from require"');
  });
});
