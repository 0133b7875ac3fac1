// Puts functions on a server under measurement, through its own API.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { repository, temporaryDirectory } from "./tools.ts";

export interface FunctionOptions {
  readonly app: string;
  readonly name: string;
  /** Folder with the code. */
  readonly folder: string;
  readonly entrypoint: readonly string[];
  readonly annotations?: Readonly<Record<string, unknown>>;
  readonly memory?: number;
  readonly idleTimeoutS?: number;
}

/** Returns the function's id. */
export async function deployFunction(url: string, options: FunctionOptions): Promise<string> {
  const staging = temporaryDirectory("bundle");
  cpSync(options.folder, staging, { recursive: true, dereference: true });
  mkdirSync(join(staging, ".chaya"), { recursive: true });
  const manifest = { formatVersion: 1, runtime: "node", entrypoint: options.entrypoint };
  writeFileSync(join(staging, ".chaya/bundle.json"), JSON.stringify(manifest));
  const bundle = execFileSync("tar", ["-czf", "-", "-C", staging, "."], { maxBuffer: 2 ** 30 });
  return await deployBundle(url, { ...options, bytes: bundle });
}

export interface BundleOptions extends Omit<FunctionOptions, "folder" | "entrypoint"> {
  /** A gzipped tar with its manifest. */
  readonly bytes: Buffer;
}

/** Returns the function's id. */
export async function deployBundle(url: string, options: BundleOptions): Promise<string> {
  const query = new URLSearchParams({ app: options.app, fn: options.name });
  const { image } = await ask<{ image: string }>(`${url}/chaya/v1/bundles?${query}`, options.bytes);
  const appId = await applicationId(url, options.app);
  const { id } = await ask<{ id: string }>(
    `${url}/v2/fns`,
    JSON.stringify({
      app_id: appId,
      name: options.name,
      image,
      memory: options.memory ?? 256,
      idle_timeout: options.idleTimeoutS ?? 3600,
      annotations: options.annotations ?? {},
    }),
  );
  return id;
}

export async function applicationId(url: string, name: string): Promise<string> {
  const found = await ask<{ items: { id: string }[] }>(`${url}/v2/apps?name=${name}`);
  return found.items[0]?.id ?? (await ask<{ id: string }>(`${url}/v2/apps`, JSON.stringify({ name }))).id;
}

/** A folder with a function of npm's stock FDK. */
export function fdkFolder(code: string): string {
  const folder = temporaryDirectory("fdk");
  writeFileSync(join(folder, "func.js"), code);
  mkdirSync(join(folder, "node_modules/@fnproject"), { recursive: true });
  symlinkSync(join(repository, "node_modules/@fnproject/fdk"), join(folder, "node_modules/@fnproject/fdk"));
  return folder;
}

async function ask<T>(url: string, body?: string | Buffer): Promise<T> {
  const answer = await fetch(url, body === undefined ? {} : { method: "POST", body });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${text}`);
  // The caller knows what it asked for; a benchmark that is wrong about it fails at once.
  return JSON.parse(text) as T;
}
