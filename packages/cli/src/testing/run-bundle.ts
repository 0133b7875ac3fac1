import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { watch } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";

/** A bundle unpacked and started as a server does it: nothing but the bundle, Fn's environment, and a socket. */
export interface RunningBundle extends AsyncDisposable {
  readonly directory: string;
  readonly manifest: {
    readonly formatVersion: number;
    readonly runtime: string;
    readonly entrypoint: readonly string[];
  };
  call(body: string): Promise<{ readonly status: number; readonly body: string }>;
  /** What it has written to both outputs. */
  output(): string;
}

export async function unpackBundle(bytes: Uint8Array): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "chaya-bundle-"));
  await writeFile(join(directory, "bundle.tgz"), bytes);
  await mkdir(join(directory, "code"));
  execFileSync("tar", ["-xzf", "../bundle.tgz"], { cwd: join(directory, "code") });
  return join(directory, "code");
}

export async function runBundle(bytes: Uint8Array): Promise<RunningBundle> {
  const directory = await unpackBundle(bytes);
  const manifest = JSON.parse(await readFile(join(directory, ".chaya/bundle.json"), "utf8"));
  const sockets = join(directory, "..", "s");
  await mkdir(sockets);
  const socketPath = join(sockets, "lsnr.sock");
  const links = watch(sockets);
  const child = spawn(process.execPath, manifest.entrypoint.slice(1), {
    cwd: directory,
    env: { FN_FORMAT: "http-stream", FN_LISTENER: `unix:${socketPath}`, FN_MEMORY: "128" },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      output += chunk;
    });
  }
  await listening(child, links, sockets);
  links.close();
  if (child.exitCode !== null) throw new Error(`the function ended before it listened: ${output}`);
  return {
    directory,
    manifest,
    output: () => output,
    call: async (body) => {
      const request = httpRequest({ socketPath, method: "POST", path: "/call", agent: false }).end(body);
      const [response] = await once(request, "response");
      return { status: response.statusCode, body: await text(response) };
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await rm(join(directory, ".."), { recursive: true, force: true });
    },
  };
}

async function listening(child: ChildProcess, links: ReturnType<typeof watch>, sockets: string): Promise<void> {
  const ended = once(child, "exit");
  for (;;) {
    const changed = once(links, "change");
    if (child.exitCode !== null || (await readdir(sockets)).includes("lsnr.sock")) return;
    await Promise.race([changed, ended]);
  }
}
