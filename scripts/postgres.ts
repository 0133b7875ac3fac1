import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installFromDebian } from "./debian.ts";

export interface Postgres {
  /** Of the administration database; the user may create others. */
  readonly url: string;
  /** Stops the server and removes its files. */
  stop(): Promise<void>;
}

/**
 * Starts a PostgreSQL of its own for tests and benchmarks, on a loopback port and a socket, with its files in a new
 * temporary directory. Every local user may connect: never for real data. Installs it from Debian when it is missing.
 * Throws when that is not possible; tests never go on without it.
 */
export async function startPostgres(): Promise<Postgres> {
  const programs = findPrograms() ?? installPrograms();
  const user = serverUser();
  // A socket's path may have 107 bytes, so the name is short; and root's own TMPDIR may be closed to others.
  const directory = mkdtempSync(join(user === undefined ? tmpdir() : "/tmp", "pg-"));
  if (user !== undefined) chownSync(directory, user.uid, user.gid);
  const data = join(directory, "data");
  const settings = ["-U", "chaya", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"];
  execFileSync(join(programs, "initdb"), ["-D", data, ...settings], { ...user, cwd: directory, stdio: "pipe" });
  const port = await freePort();
  const [command = "", ...words] = [
    ...endsWithUs,
    ...[join(programs, "postgres"), "-D", data, "-p", `${port}`, "-k", directory],
    ...["listen_addresses=127.0.0.1", "max_connections=400", "shared_buffers=64MB"].flatMap((set) => ["-c", set]),
  ];
  const server = spawn(command, words, { ...user, cwd: directory, stdio: ["ignore", "ignore", "pipe"] });
  await listening(server);
  return {
    url: `postgres://chaya@127.0.0.1:${port}/postgres`,
    stop: async () => {
      await stopServer(server);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Where util-linux is, the server stops also when the tests are killed. */
const endsWithUs = existsSync("/usr/bin/setpriv") ? ["/usr/bin/setpriv", "--pdeathsig", "INT"] : [];

/** The newest installed version's folder. */
function findPrograms(): string | undefined {
  const versions = "/usr/lib/postgresql";
  const debian = existsSync(versions) ? readdirSync(versions).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [...debian.map((version) => join(versions, version, "bin")), ...(process.env.PATH ?? "").split(":")];
  return folders.find((folder) => ["initdb", "postgres"].every((program) => existsSync(join(folder, program))));
}

function installPrograms(): string {
  installFromDebian("PostgreSQL ('initdb' and 'postgres' in PATH)", ["postgresql"]);
  const programs = findPrograms();
  if (programs === undefined)
    throw new Error("apt-get installed postgresql, but 'initdb' is not where Debian puts it.");
  return programs;
}

/** PostgreSQL refuses to run as root; Debian's package makes the user `postgres`. */
function serverUser(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => {
        if (typeof address === "object" && address !== null) resolve(address.port);
        else reject(new Error("no free port"));
      });
    });
  });
}

function listening(server: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = "";
    server.once("error", reject);
    server.once("exit", (code) => reject(new Error(`PostgreSQL ended with ${code} at its start:\n${output}`)));
    server.stderr?.on("data", (chunk: Buffer) => {
      // Read for ever, so that the server never blocks on its log; kept only until it is ready.
      if (output.includes("ready to accept connections")) return;
      output += chunk.toString();
      if (output.includes("ready to accept connections")) resolve();
    });
  });
}

/** SIGINT is PostgreSQL's fast shutdown: it ends sessions and writes a last checkpoint. */
function stopServer(server: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (server.exitCode !== null || server.signalCode !== null) return resolve();
    server.once("exit", () => resolve());
    server.kill("SIGINT");
  });
}
