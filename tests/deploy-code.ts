// Puts code on a server through its public API, as the CLI does but without its packaging.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { repository } from "./server-process.ts";

export interface Code {
  readonly app: string;
  readonly name: string;
  /** func.js, CommonJS; `@fnproject/fdk` resolves. */
  readonly code?: string;
  /** Of code that was uploaded before, or of none; instead of `code`. */
  readonly image?: string | undefined;
  readonly config?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, unknown>>;
  readonly memory?: number;
  readonly timeout?: number;
  /** Path of an HTTP trigger. */
  readonly trigger?: string;
}

/** Creates or updates the function; gives its id. */
export async function deployCode(url: string, options: Code): Promise<string> {
  const { app, name, config, annotations, memory, timeout } = options;
  const image = options.image ?? (await uploadCode(url, options));
  const appId = (await find(url, `/v2/apps?name=${app}`)) ?? (await create(url, "/v2/apps", { name: app }));
  const known = await find(url, `/v2/fns?app_id=${appId}&name=${name}`);
  const spec = { image, config, annotations, memory, timeout };
  if (known !== undefined) {
    await ask(`${url}/v2/fns/${known}`, { method: "PUT", body: JSON.stringify(spec) });
    return known;
  }
  const id = await create(url, "/v2/fns", { app_id: appId, name, ...spec });
  if (options.trigger !== undefined)
    await create(url, "/v2/triggers", { app_id: appId, fn_id: id, name, type: "http", source: options.trigger });
  return id;
}

/** Stores the code as a bundle; gives its image. */
export async function uploadCode(
  url: string,
  { app, name, code = "" }: Pick<Code, "app" | "name" | "code">,
): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "chaya-code-"));
  try {
    writeFileSync(join(folder, "func.js"), code);
    const fdk = join(folder, "node_modules/@fnproject/fdk");
    mkdirSync(dirname(fdk), { recursive: true });
    symlinkSync(join(repository, "node_modules/@fnproject/fdk"), fdk);
    const body = execFileSync("tar", ["-czhf", "-", "--mtime=@0", "-C", folder, "func.js", "node_modules"]);
    const { image } = await ask(`${url}/chaya/v1/bundles?app=${app}&fn=${name}`, { method: "POST", body });
    return String(image);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function find(url: string, path: string): Promise<string | undefined> {
  const { items } = await ask(`${url}${path}`, {});
  const [first] = Array.isArray(items) ? items : [];
  return first?.id;
}

async function create(url: string, path: string, spec: object): Promise<string> {
  return String((await ask(`${url}${path}`, { method: "POST", body: JSON.stringify(spec) })).id);
}

async function ask(url: string, request: RequestInit): Promise<Record<string, unknown>> {
  const answer = await fetch(url, request);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${text}`);
  // Every answer of these routes is an object.
  return JSON.parse(text) as Record<string, unknown>;
}
