import { readFileSync, statSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { z } from "zod";
import { parseYaml } from "../../../kernel/parse-yaml.ts";

export type EntryPoint = FoundEntryPoint | { readonly kind: "none"; readonly why: string };

export interface FoundEntryPoint {
  readonly kind: "found";
  /** A program and its arguments. */
  readonly command: readonly string[];
  /** What the bundle is written for; `node20` or a path says which Node `node` is. */
  readonly runtime: string | undefined;
  /** stdio: the command is run anew for each call. */
  readonly format: "http-stream" | "stdio";
  /** V8's cached data of the entry file, inside of the bundle. */
  readonly codeCache: string | undefined;
}

const manifestBytesMax = 64 * 1024;
const word = z
  .string()
  .min(1)
  .refine((text) => !text.includes("\0"));
const entryFiles = ["func.js", "func.mjs", "func.cjs", "func.ts", "func.mts", "index.js", "index.mjs"] as const;

/** `.chaya/bundle.json`, as `chaya deploy` writes it. */
const BundleManifest = z.object({
  formatVersion: z.literal(1),
  runtime: z.string(),
  entrypoint: z.array(word).min(1),
  format: z.enum(["http-stream", "stdio"]).default("http-stream"),
  codeCache: word.refine((path) => !isAbsolute(path) && !path.split("/").includes("..")).optional(),
});

/** What func.yaml says about starting; Fn splits both commands at white space, and has other formats of old. */
const FunctionFile = z.object({
  entrypoint: z.string().optional(),
  cmd: z.string().optional(),
  runtime: z.string().optional(),
  format: z.string().optional(),
});

/**
 * How the code of a bundle is started: as its manifest says, else as its func.yaml says, else the first of the usual
 * files. A manifest or func.yaml that cannot be read is the bundle's fault: `none`, with the reason. It reads
 * synchronously: two small files that were just unpacked cost less than their turns through other threads, and a start
 * waits for them.
 */
export function readEntryPoint(codeDirectory: string): EntryPoint {
  const manifest = readManifest(join(codeDirectory, ".chaya/bundle.json"));
  if (manifest !== undefined) return manifest;
  for (const name of ["func.yaml", "func.yml"]) {
    const functionFile = readFunctionFile(join(codeDirectory, name), name);
    if (functionFile !== undefined) return functionFile;
  }
  for (const file of entryFiles) if (isFile(join(codeDirectory, file))) return found(["node", file]);
  return {
    kind: "none",
    why: `the bundle has no .chaya/bundle.json, no entrypoint in func.yaml and no ${entryFiles[0]}`,
  };
}

function readManifest(path: string): EntryPoint | undefined {
  const text = readSmall(path);
  if (text === undefined) return undefined;
  const parsed = BundleManifest.safeParse(parsedOrUndefined(() => JSON.parse(text)));
  if (parsed.success) return found(parsed.data.entrypoint, parsed.data);
  return { kind: "none", why: "its .chaya/bundle.json is not one this server understands" };
}

/** undefined: it does not say. */
function readFunctionFile(path: string, name: string): EntryPoint | undefined {
  const text = readSmall(path);
  if (text === undefined) return undefined;
  const parsed = FunctionFile.safeParse(parsedOrUndefined(() => parseYaml(text)));
  if (!parsed.success) return { kind: "none", why: `its ${name} cannot be read` };
  const command = [parsed.data.entrypoint, parsed.data.cmd].flatMap((part) => part?.split(/\s+/).filter(Boolean) ?? []);
  const { runtime, format } = parsed.data;
  const settings = { runtime, format: format === "stdio" ? format : "http-stream" } as const;
  return command.length === 0 ? undefined : found(command, settings);
}

function found(command: readonly string[], settings: Partial<FoundEntryPoint> = {}): FoundEntryPoint {
  const { runtime, format = "http-stream", codeCache } = settings;
  return { kind: "found", command, runtime, format, codeCache };
}

/** The schema refuses undefined, so text that does not parse and text of another form are one case. */
function parsedOrUndefined(parse: () => unknown): unknown {
  try {
    return parse();
  } catch {
    return undefined;
  }
}

/** undefined: absent. What is too large for a manifest reads as text that is none. */
function readSmall(path: string): string | undefined {
  if (!isFile(path)) return undefined;
  return statSync(path).size > manifestBytesMax ? "" : readFileSync(path, "utf8");
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
