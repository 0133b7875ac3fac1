import { existsSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, extname, join, parse } from "node:path";
import type { BuildFailure, Metafile, OutputFile, Plugin } from "esbuild";
import { CliError } from "../cli-error.ts";
import { bundledFdks } from "./bundled-fdks.ts";
import { type InstalledPackage, PackageFinder, packageName } from "./packages.ts";

export interface BundledCode {
  /** The script, with its source map inside. */
  readonly file: { readonly path: string; readonly bytes: Uint8Array };
  /** Packages that must travel beside the script. */
  readonly packages: readonly InstalledPackage[];
}

export interface CodeSource {
  readonly folder: string;
  /** The entry file, relative to the folder. */
  readonly entry: string;
  /** Node_modules outside of the folder, asked after those of the folder. */
  readonly buildModules: string | undefined;
}

type Format = "cjs" | "esm";

/**
 * Makes one script of an entry file and what it imports. Imports resolve from the folder, then the build folder; the
 * FDKs, where neither has them, from this command line. `oci-*` packages and compiled ones stay packages.
 */
export async function bundleCode(source: CodeSource): Promise<BundledCode> {
  const finder = new PackageFinder(source.buildModules === undefined ? [] : [source.buildModules]);
  const travelling: InstalledPackage[] = [];
  const format = await entryFormat(source);
  const { dir, name } = parse(source.entry);
  const path = join(dir, `${name}.bundle.${format === "esm" ? "mjs" : "cjs"}`);
  const plugin = resolution(finder, (found) => travelling.push(found));
  const { outputFiles, metafile } = await runEsbuild(source, { format, outfile: path, plugins: [plugin] });
  const bytes = scriptBytes(outputFiles, metafile);
  return { file: { path, bytes }, packages: finder.closure(travelling) };
}

/** How Node would read the entry file: by its extension, its package's type, else by its own syntax. */
async function entryFormat(source: CodeSource): Promise<Format> {
  const extension = extname(source.entry);
  if (extension === ".mjs" || extension === ".mts") return "esm";
  if (extension === ".cjs" || extension === ".cts") return "cjs";
  if (packageType(source) === "module") return "esm";
  const everythingOutside: Plugin = {
    name: "entry-only",
    setup: (build) => {
      build.onResolve({ filter: /.*/ }, ({ kind }) => (kind === "entry-point" ? undefined : { external: true }));
    },
  };
  const { metafile } = await runEsbuild(source, { format: "cjs", outfile: "entry.js", plugins: [everythingOutside] });
  return Object.values(metafile.inputs)[0]?.format ?? (extension === ".ts" ? "esm" : "cjs");
}

function packageType({ folder, entry }: CodeSource): unknown {
  for (let at = dirname(entry); ; at = dirname(at)) {
    const path = join(folder, at, "package.json");
    if (existsSync(path)) return packageJson(path).type;
    if (at === ".") return undefined;
  }
}

function packageJson(path: string): { readonly type?: unknown } {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    return typeof value === "object" && value !== null ? value : {};
  } catch (cause) {
    throw new CliError({ what: `${path} is not JSON.`, hint: "Correct it and try again." }, { cause });
  }
}

interface EsbuildRun {
  readonly format: Format;
  readonly outfile: string;
  readonly plugins: Plugin[];
}

async function runEsbuild(
  source: CodeSource,
  run: EsbuildRun,
): Promise<{ outputFiles: OutputFile[]; metafile: Metafile }> {
  const { build } = await import("esbuild");
  try {
    return await build({
      ...run,
      absWorkingDir: source.folder,
      entryPoints: [source.entry],
      bundle: true,
      write: false,
      metafile: true,
      platform: "node",
      target: "node24",
      nodePaths: source.buildModules === undefined ? [] : [source.buildModules],
      sourcemap: "external",
      sourcesContent: false,
      legalComments: "none",
      logLevel: "silent",
      ...(run.format === "esm" && esmSurroundings),
    });
  } catch (error) {
    throw buildError(error);
  }
}

/** What CommonJS packages expect and an ES module does not have. */
const esmSurroundings = {
  banner: {
    js: `import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);`,
  },
  define: { __dirname: "import.meta.dirname", __filename: "import.meta.filename" },
} as const;

function buildError(error: unknown): unknown {
  const failure = error as Partial<BuildFailure>;
  const [first] = failure.errors ?? [];
  if (first === undefined) return error;
  const { location, text } = first;
  const place = location === null ? "" : `${location.file}:${location.line}:${location.column + 1}: `;
  const missing = /^Could not resolve "([^"]+)"/.exec(text)?.[1];
  const hint =
    missing === undefined || missing.startsWith(".")
      ? "Correct the source, or set 'bundle: false' in func.yaml to send the folder as it is."
      : `Install it in the function's folder: npm install ${packageName(missing)}`;
  return new CliError({ what: `The code cannot be bundled: ${place}${text}`, hint }, { cause: error });
}

/** Decides for every bare import whether it becomes part of the script. */
function resolution(finder: PackageFinder, travels: (found: InstalledPackage) => void): Plugin {
  const fdks = new Map(bundledFdks().map((fdk) => [fdk.name, fdk.directory]));
  return {
    name: "function-imports",
    setup: (build) => {
      build.onResolve({ filter: /^[^./]/ }, async (args) => {
        if (args.kind === "entry-point" || args.pluginData === "own fdk" || isBuiltin(args.path)) return undefined;
        const name = packageName(args.path);
        const found = finder.find(name, args.resolveDir);
        if (found !== undefined) {
          if (!name.startsWith("oci-") && !finder.isNative(found)) return undefined;
          travels(found);
          return { path: args.path, external: true };
        }
        const directory = fdks.get(name);
        if (directory === undefined) return undefined;
        return await build.resolve(args.path, {
          kind: args.kind,
          resolveDir: dirname(directory),
          pluginData: "own fdk",
        });
      });
    },
  };
}

/** The script with an inline source map, both free of where this machine keeps its packages. */
function scriptBytes(outputFiles: readonly OutputFile[], metafile: Metafile): Uint8Array {
  const [script, map] = [".js", ".map"].map((end) =>
    outputFiles.find(({ path }) => path.endsWith(".map") === (end === ".map")),
  );
  if (script === undefined || map === undefined) throw new Error("esbuild made no script");
  const names = stableNames(Object.keys(metafile.inputs));
  const stable = (text: string) => [...names].reduce((done, [from, to]) => done.replaceAll(from, to), text);
  const inline = Buffer.from(stable(map.text)).toString("base64");
  return Buffer.from(`${stable(script.text)}//# sourceMappingURL=data:application/json;base64,${inline}\n`);
}

/** Files outside of the folder appear by their path from it, which differs from place to place. */
function stableNames(inputs: readonly string[]): ReadonlyMap<string, string> {
  const outside = inputs.filter((path) => path.startsWith("../")).sort((a, b) => b.length - a.length);
  return new Map(outside.map((path) => [path, stableName(path)]));
}

function stableName(path: string): string {
  const modules = path.lastIndexOf("node_modules/");
  return modules >= 0 ? path.slice(modules) : `outside/${path.split("/").slice(-3).join("/")}`;
}
