import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@chaya/client";
import { type ExitCode, exitCode } from "../cli-error.ts";
import { localCommand } from "../command.ts";
import { appNamed } from "../find-records.ts";
import { readPrivateFile } from "../private-file.ts";
import type { Terminal } from "../terminal.ts";

const startFlags = {
  host: { value: "ADDRESS", summary: "Address to listen on (127.0.0.1)." },
  port: { value: "PORT", summary: "Port to listen on; 0 takes a free one (8080)." },
  data: { value: "DIRECTORY", summary: "Data directory (.chaya)." },
  store: { value: "STORE", summary: "embedded, or postgres://USER@HOST/DATABASE." },
  runtime: { value: "RUNTIME", summary: "What runs functions: process." },
  sandbox: { value: "SANDBOX", summary: "What functions run in: auto, bwrap, or none for trusted code only (auto)." },
  "pre-started": { value: "COUNT", summary: "Processes that may wait for functions; 0: none (by the memory)." },
  auth: { value: "MODE", summary: "none = you, from this machine; required = whoever shows credentials (none)." },
  "public-url": { value: "URL", summary: "The URL that clients use (http://localhost:PORT)." },
  domain: { value: "NAME", summary: "Domain below which gateways and sites get their names (localhost)." },
  "allow-host": { value: "HOSTS", summary: "Further Host names of the control API, separated by commas." },
  "trusted-proxies": { value: "RANGES", summary: "Whose X-Forwarded-* headers are believed, separated by commas." },
  region: { value: "NAME", summary: "Region name in OCIDs (us-ashburn-1)." },
  "log-level": { value: "LEVEL", summary: "debug, info, warn, error or silent (warn)." },
  "cors-origins": {
    value: "ORIGINS",
    summary: "Origins whose pages may call functions, separated by commas; * for any.",
  },
  "function-memory": { value: "MIB", summary: "Memory that all functions may use together." },
} as const;

export const startCommands = [
  localCommand({
    path: "start",
    summary: "Start the platform on this machine.",
    flags: { ...startFlags, example: { summary: "Deploy the example function once the server is ready." } },
    examples: ["chaya start", "chaya start --port 0 --data /var/lib/chaya"],
    run: async ({ terminal, flags }): Promise<ExitCode> => {
      const { startServer } = await import("@chaya/server");
      const { example, ...options } = flags;
      const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
      await startServer(given, example ? { onReady: (platform) => deployExample(terminal, platform) } : {});
      // The server has said how it ended.
      return exitCodeOf(Number(process.exitCode ?? 0));
    },
  }),
];

function exitCodeOf(code: number): ExitCode {
  return Object.values(exitCode).find((known) => known === code) ?? exitCode.failed;
}

/** Deploys the function that `chaya init` makes, as application `example`: something to call at once. */
async function deployExample(
  terminal: Terminal,
  { address: url, adminTokenFile }: { readonly address: string; readonly adminTokenFile: string | undefined },
): Promise<void> {
  // Loaded only here: what deploys would take memory for as long as the server runs.
  const { writeFreshFunction } = await import("../boilerplates/fresh-function.ts");
  const { deployFunction } = await import("../deploy/deploy-function.ts");
  const folder = await mkdtemp(join(tmpdir(), "chaya-example-"));
  try {
    await writeFreshFunction(folder, { name: "hello", runtime: "node", hasTrigger: true });
    const token = adminTokenFile === undefined ? undefined : readPrivateFile(adminTokenFile)?.trim();
    const client = createClient({ url, headers: token === undefined ? {} : { authorization: `Bearer ${token}` } });
    const app = (await appNamed(client, "example")) ?? (await client.fn.createApp({ body: { name: "example" } }));
    const { triggers } = await deployFunction({ client, terminal }, app, folder);
    for (const { endpoint } of triggers) terminal.stdout.write(`An example answers at ${endpoint}\n`);
  } finally {
    await rm(folder, { recursive: true, force: true });
    // The bundler is a process that would stay as long as this one.
    await (await import("esbuild")).stop();
  }
}
