import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type FakeServer, startFakeServer } from "./fake-server.ts";
import { type CliRun, runInMemory } from "./memory-terminal.ts";

/** `chaya` in a folder of its own, with caches of its own and a server in memory. */
export interface DeployHarness extends AsyncDisposable {
  readonly root: string;
  /** A new folder with these files. */
  freshFolder(files?: Readonly<Record<string, string>>): Promise<string>;
  chaya(directory: string, ...words: readonly string[]): Promise<CliRun>;
  /** Deploys the folder, which must succeed; gives the image. */
  deploy(folder: string): Promise<string>;
  bundle(image: string): Buffer;
  /** The paths in its bundle. */
  paths(image: string): readonly string[];
  readonly server: FakeServer;
}

/** `environment`: over that of this process. */
export async function startDeployHarness(environment: Readonly<Record<string, string>> = {}): Promise<DeployHarness> {
  const server = await startFakeServer();
  const root = await mkdtemp(join(tmpdir(), "chaya-languages-"));
  const bundle = (image: string) => server.bundles.get(image) ?? Buffer.alloc(0);
  const chaya = (directory: string, ...words: readonly string[]) =>
    runInMemory(words, {
      directory,
      environment: {
        ...definedValues(process.env),
        CHAYA_URL: server.url,
        XDG_CACHE_HOME: join(root, "cache"),
        // Go's standard library takes half a minute to compile: that cache is the machine's.
        GOCACHE: process.env.GOCACHE ?? join(homedir(), ".cache/go-build"),
        ...environment,
      },
    });
  return {
    root,
    server,
    chaya,
    freshFolder: async (files = {}) => {
      const folder = await mkdtemp(join(root, "f"));
      for (const [path, text] of Object.entries(files)) {
        await mkdir(dirname(join(folder, path)), { recursive: true });
        await writeFile(join(folder, path), text);
      }
      return folder;
    },
    deploy: async (folder) => {
      const run = await chaya(folder, "deploy", "--app", "demo", "--json");
      if (run.code !== 0) throw new Error(run.err);
      return String((run.json() as { readonly functions: readonly { readonly image: string }[] }).functions[0]?.image);
    },
    bundle,
    paths: (image) =>
      execFileSync("tar", ["-tzf", "-"], { input: bundle(image), encoding: "utf8" })
        .trim()
        .split("\n"),
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await rm(root, { recursive: true, force: true });
    },
  };
}

function definedValues(values: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  );
}
