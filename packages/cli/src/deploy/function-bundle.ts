import { existsSync } from "node:fs";
import { dirname, join, normalize, sep } from "node:path";
import { limits } from "@chaya/contract";
import { CliError } from "../cli-error.ts";
import type { BundleMemory } from "./bundle-memory.ts";
import { bundledFdks } from "./bundled-fdks.ts";
import { codeCache } from "./code-cache.ts";
import { folderFiles } from "./folder-files.ts";
import type { FunctionFile } from "./function-file.ts";
import { readIgnoreRules } from "./ignore-rules.ts";
import { type BuiltCode, commandOf } from "./languages/language.ts";
import { PackageFinder, packageFiles } from "./packages.ts";
import { gzippedTar, type TarFile } from "./tar.ts";

export interface FunctionBundle {
  /** A gzipped tar with `.chaya/bundle.json`. */
  readonly bytes: Buffer;
  readonly warnings: readonly string[];
  /** The absolute paths of files outside of the folder that became part of its code. */
  readonly outerInputs: readonly string[];
}

export interface BundleSource {
  readonly folder: string;
  readonly functionFile: FunctionFile;
  readonly buildModules: string | undefined;
  /** Of a language that is built before it is packed; undefined for JavaScript. */
  readonly code: BuiltCode | undefined;
  readonly memory: BundleMemory;
  /** Another one replaces it soon: it is made fast, not small, and starts without a code cache. */
  readonly isDraft: boolean;
}

const manifestPath = ".chaya/bundle.json";
const codeCachePath = ".chaya/code-cache";
const entryFiles = ["func.js", "func.mjs", "func.cjs", "func.ts", "func.mts"] as const;

/** Packs a function: its folder, its code, and how it is started. */
export async function functionBundle(source: BundleSource): Promise<FunctionBundle> {
  const { folder, functionFile, memory } = source;
  const code: PackedCode = source.code ?? (await javascript(source));
  const rules = await readIgnoreRules(folder, code.ignored);
  const made = new Set(code.files.map((file) => file.path));
  const isIgnored = (path: string, isDirectory: boolean) => made.has(path) || rules(path, isDirectory);
  const options = { prefix: "", isIgnored, mayLeave: false, readFile: memory.readFile };
  const { files, warnings } = await folderFiles(folder, options);
  const manifest = {
    formatVersion: 1,
    runtime: functionFile.runtime.name,
    entrypoint: code.entrypoint,
    ...(functionFile.format === "stdio" && { format: functionFile.format }),
    ...(code.codeCache && { codeCache: codeCachePath }),
  };
  const all = [...files, ...code.files, textFile(manifestPath, `${JSON.stringify(manifest, null, 2)}\n`)];
  if (code.codeCache !== undefined) all.push({ path: codeCachePath, bytes: code.codeCache, isExecutable: false });
  checkLimits(all);
  const bytes = gzippedTar(all, { isFast: source.isDraft });
  if (bytes.length > limits.bundleBytesMax) throw tooLarge(`${bytes.length} bytes packed`, limits.bundleBytesMax);
  return { bytes, warnings, outerInputs: code.outerInputs ?? [] };
}

interface PackedCode extends BuiltCode {
  /** V8's, of the script that is the entry point. */
  readonly codeCache?: Uint8Array | undefined;
  readonly outerInputs?: readonly string[];
}

/** One script of the entry file and what it imports, unless `bundle: false`. */
async function javascript(source: BundleSource): Promise<PackedCode> {
  const start = startCommand(source);
  const code = source.functionFile.isBundled
    ? await scriptFiles(source, start)
    : { files: await moduleFiles(source), entrypoint: start.words };
  return { ...code, ignored: ["/node_modules"] };
}

interface Start {
  /** `node`, flags, the entry file, arguments. */
  readonly words: readonly string[];
  readonly entry: string;
  readonly entryAt: number;
}

function startCommand({ folder, functionFile }: BundleSource): Start {
  const words = commandOf(functionFile, ["node", usualEntry(folder)]);
  const entryAt = words.findIndex((word, index) => index > 0 && !word.startsWith("-"));
  const entry = normalize(words[entryAt] ?? "");
  if (entryAt < 0 || entry.startsWith("..") || entry.startsWith("/") || !existsSync(join(folder, entry))) {
    throw new CliError({
      what: `The entry file '${words[entryAt] ?? ""}' is not in ${folder}.`,
      why: `${functionFile.fileName} says: entrypoint: ${words.join(" ")}`,
      hint: "Name a file of the folder, as in: entrypoint: node func.js",
    });
  }
  return { words, entry, entryAt };
}

function usualEntry(folder: string): string {
  return entryFiles.find((name) => existsSync(join(folder, name))) ?? entryFiles[0];
}

async function scriptFiles(source: BundleSource, start: Start): Promise<Omit<PackedCode, "ignored">> {
  const { folder, buildModules, functionFile, memory } = source;
  const isOwnNode = functionFile.runtime.name === "node";
  // A certain Node, as in `node22`, has to understand what comes out.
  const target = /^node\d+$/.test(functionFile.runtime.name) ? functionFile.runtime.name : undefined;
  const bundler = await memory.bundler({ folder, entry: start.entry, buildModules, target });
  const code = await bundler.bundle();
  const entrypoint = start.words.toSpliced(start.entryAt, 1, code.script);
  // Stacks name the lines of the source.
  if (!entrypoint.includes("--enable-source-maps")) entrypoint.splice(1, 0, "--enable-source-maps");
  const files = code.files.map((file): TarFile => ({ ...file, isExecutable: false }));
  const [script] = files;
  const hasCache = isOwnNode && !source.isDraft && code.format === "cjs";
  return {
    files: [...files, ...(await packageFiles(code.packages))],
    entrypoint,
    codeCache: hasCache && script !== undefined ? await codeCache(script.bytes) : undefined,
    outerInputs: code.inputs.filter((path) => !path.startsWith(folder + sep) && !path.includes("/node_modules/")),
  };
}

/** All of node_modules: the folder's own, else what the lock asks for; and the FDKs where they are missing. */
async function moduleFiles({ folder, buildModules }: BundleSource): Promise<TarFile[]> {
  const own = join(folder, "node_modules");
  const modules = existsSync(own) ? own : buildModules;
  const isIgnored = (path: string) => /(^|\/)(\.bin|\.cache|\.package-lock\.json)$/.test(path);
  const options = { prefix: "node_modules/", isIgnored, mayLeave: true };
  const files = modules === undefined ? [] : [...(await folderFiles(modules, options)).files];
  for (const { name, directory } of bundledFdks()) {
    if (directory === undefined || (modules !== undefined && existsSync(join(modules, name)))) continue;
    files.push(...(await fdkFiles(name, directory)));
  }
  return files;
}

/** An FDK of this command line as a package of one file. */
async function fdkFiles(name: string, directory: string): Promise<TarFile[]> {
  if (name !== "@chaya/fdk") {
    const found = new PackageFinder([]).find(name, dirname(directory));
    return found === undefined ? [] : await packageFiles([found]);
  }
  const { build } = await import("esbuild");
  const entries = ["index", "testing", "protocol"] as const;
  const sources = entries.map((entry) =>
    ["src", "dist"].map((place) => join(directory, place, `${entry}.${place === "src" ? "ts" : "js"}`)),
  );
  const entryPoints = sources
    .map((places) => places.find((place) => existsSync(place)))
    .filter((place) => place !== undefined);
  const { outputFiles } = await build({
    entryPoints,
    outdir: "/fdk",
    bundle: true,
    write: false,
    platform: "node",
    format: "esm",
  });
  const exports = { ".": "./index.js", "./testing": "./testing.js", "./protocol": "./protocol.js" };
  const manifest = textFile(`node_modules/${name}/package.json`, JSON.stringify({ name, type: "module", exports }));
  return [
    manifest,
    ...outputFiles.map((file) => textFile(`node_modules/${name}${file.path.slice("/fdk".length)}`, file.text)),
  ];
}

function textFile(path: string, text: string): TarFile {
  return { path, bytes: Buffer.from(text), isExecutable: false };
}

/** The server refuses what is too large; here it can be said before it is sent, and with the largest culprit. */
function checkLimits(files: readonly TarFile[]): void {
  const bytes = files.reduce((sum, file) => sum + file.bytes.length, 0);
  if (files.length > limits.bundleEntriesMax) throw tooLarge(`${files.length} files`, limits.bundleEntriesMax);
  if (bytes > limits.bundleUnpackedBytesMax) {
    const largest = files.reduce((max, file) => (file.bytes.length > max.bytes.length ? file : max));
    throw tooLarge(`${bytes} bytes, ${largest.path} alone ${largest.bytes.length}`, limits.bundleUnpackedBytesMax);
  }
}

function tooLarge(what: string, max: number): CliError {
  return new CliError({
    what: `The function is too large to deploy: ${what}; at most ${max}.`,
    hint: "Name what it does not need in .chayaignore.",
  });
}
