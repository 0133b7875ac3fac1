import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
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
    readonly format?: string;
  };
  /** `isChunked`: without the length of the body. */
  call(
    body: string,
    how?: { readonly isChunked: boolean },
  ): Promise<{ readonly status: number; readonly body: string }>;
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

/** What a program with `format: stdio` printed for one body. */
export interface StdioAnswer {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
  readonly entrypoint: readonly string[];
}

/** Runs the program of a bundle with `format: stdio` once. */
export async function runStdioBundle(bytes: Uint8Array, body: string): Promise<StdioAnswer> {
  const directory = await unpackBundle(bytes);
  const manifest = JSON.parse(await readFile(join(directory, ".chaya/bundle.json"), "utf8"));
  if (manifest.format !== "stdio") throw new Error(`its format is ${manifest.format}`);
  const [program = "", ...words] = manifest.entrypoint;
  const child = spawnSync(program, words, {
    cwd: directory,
    input: body,
    encoding: "utf8",
    env: programEnvironment(directory),
  });
  await rm(join(directory, ".."), { recursive: true, force: true });
  if (child.error !== undefined) throw child.error;
  return { code: child.status, out: child.stdout, err: child.stderr, entrypoint: manifest.entrypoint };
}

/** Programs of the machine, and Python's packages as the server gives them. */
function programEnvironment(directory: string): Record<string, string | undefined> {
  return { PATH: process.env.PATH, PYTHONPATH: join(directory, ".chaya/python"), PYTHONUNBUFFERED: "1" };
}

export async function runBundle(bytes: Uint8Array): Promise<RunningBundle> {
  const directory = await unpackBundle(bytes);
  const manifest = JSON.parse(await readFile(join(directory, ".chaya/bundle.json"), "utf8"));
  const sockets = join(directory, "..", "s");
  await mkdir(sockets);
  const socketPath = join(sockets, "lsnr.sock");
  const links = watch(sockets);
  const [program, ...words] = startWords(manifest.entrypoint);
  const contract = { FN_FORMAT: "http-stream", FN_LISTENER: `unix:${socketPath}`, FN_MEMORY: "128" };
  const child = spawn(program ?? "", words, { cwd: directory, env: { ...programEnvironment(directory), ...contract } });
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
    call: async (body, how) => {
      const headers = how?.isChunked ? { "transfer-encoding": "chunked" } : {};
      const request = httpRequest({ socketPath, method: "POST", path: "/call", agent: false, headers }).end(body);
      const [response] = await once(request, "response");
      return { status: response.statusCode, body: await text(response) };
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await rm(join(directory, ".."), { recursive: true, force: true });
    },
  };
}

/** The server's own Node, and the program of Fn's Python FDK. */
function startWords([program = "", ...words]: readonly string[]): readonly string[] {
  if (program === "node") return [process.execPath, ...words];
  return program === "/python/bin/fdk" ? ["python3", ".chaya/python/bin/fdk", ...words] : [program, ...words];
}

async function listening(child: ChildProcess, links: ReturnType<typeof watch>, sockets: string): Promise<void> {
  const ended = once(child, "exit");
  for (;;) {
    const changed = once(links, "change");
    if (child.exitCode !== null || (await readdir(sockets)).includes("lsnr.sock")) return;
    await Promise.race([changed, ended]);
  }
}
