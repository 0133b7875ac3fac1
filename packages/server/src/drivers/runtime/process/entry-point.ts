import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { parse as parseYaml } from "yaml";
import { z } from "zod";

export type EntryPoint =
  /** A program and its arguments; `node` is the platform's own. */
  { readonly kind: "found"; readonly command: readonly string[] } | { readonly kind: "none"; readonly why: string };

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
});

/** What func.yaml says about starting; Fn splits both at white space. */
const FunctionFile = z.object({ entrypoint: z.string().optional(), cmd: z.string().optional() });

/**
 * How the code of a bundle is started: as its manifest says, else as its func.yaml says, else the first of the usual
 * files. A manifest or func.yaml that cannot be read is the bundle's fault: `none`, with the reason.
 */
export async function readEntryPoint(codeDirectory: string): Promise<EntryPoint> {
  const manifest = await readManifest(join(codeDirectory, ".chaya/bundle.json"));
  if (manifest !== undefined) return manifest;
  for (const name of ["func.yaml", "func.yml"]) {
    const functionFile = await readFunctionFile(join(codeDirectory, name), name);
    if (functionFile !== undefined) return functionFile;
  }
  for (const file of entryFiles)
    if (await isFile(join(codeDirectory, file))) return { kind: "found", command: ["node", file] };
  return {
    kind: "none",
    why: `the bundle has no .chaya/bundle.json, no entrypoint in func.yaml and no ${entryFiles[0]}`,
  };
}

async function readManifest(path: string): Promise<EntryPoint | undefined> {
  const text = await readSmall(path);
  if (text === undefined) return undefined;
  const parsed = BundleManifest.safeParse(parsedOrUndefined(() => JSON.parse(text)));
  if (parsed.success) return { kind: "found", command: parsed.data.entrypoint };
  return { kind: "none", why: "its .chaya/bundle.json is not one this server understands" };
}

/** undefined: it does not say. */
async function readFunctionFile(path: string, name: string): Promise<EntryPoint | undefined> {
  const text = await readSmall(path);
  if (text === undefined) return undefined;
  const parsed = FunctionFile.safeParse(parsedOrUndefined(() => parseYaml(text, { maxAliasCount: 0 })));
  if (!parsed.success) return { kind: "none", why: `its ${name} cannot be read` };
  const command = [parsed.data.entrypoint, parsed.data.cmd].flatMap((part) => part?.split(/\s+/).filter(Boolean) ?? []);
  return command.length === 0 ? undefined : { kind: "found", command };
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
async function readSmall(path: string): Promise<string | undefined> {
  if (!(await isFile(path))) return undefined;
  return (await stat(path)).size > manifestBytesMax ? "" : await readFile(path, "utf8");
}

async function isFile(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() === true;
}
