import { existsSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { basename, dirname, extname, join, parse, resolve } from "node:path";
import type { BuildContext, BuildFailure, BuildResult, Message, Metafile, OutputFile, Plugin } from "esbuild";
import { CliError } from "../cli-error.ts";
import { bundledFdks } from "./bundled-fdks.ts";
import { codeFrame } from "./code-frame.ts";
import { type InstalledPackage, PackageFinder, packageName } from "./packages.ts";

export interface BundledCode {
  /** The path of the script in the bundle. */
  readonly script: string;
  readonly format: ScriptFormat;
  /** The script and its source map. */
  readonly files: readonly { readonly path: string; readonly bytes: Uint8Array }[];
  /** Packages that must travel beside the script. */
  readonly packages: readonly InstalledPackage[];
  /** The absolute paths of everything it was made of. */
  readonly inputs: readonly string[];
}

export interface CodeSource {
  readonly folder: string;
  /** The entry file, relative to the folder. */
  readonly entry: string;
  /** Node_modules outside of the folder, asked after those of the folder. */
  readonly buildModules: string | undefined;
  /** The Node that runs it, as esbuild names it; the platform's own when absent. */
  readonly target?: string | undefined;
}

type ScriptFormat = "cjs" | "esm";

/**
 * Makes one script of an entry file and what it imports, again and again: what did not change is not parsed again.
 * Imports resolve from the folder, then the build folder; the FDKs, where neither has them, from this command line.
 * `oci-*` packages and compiled ones stay packages.
 *
 * The script is CommonJS, which starts faster and can have a code cache, unless an ES module does what only those can.
 */
export class CodeBundler implements AsyncDisposable {
  readonly #source: CodeSource;
  readonly #finder: PackageFinder;
  readonly #contexts = new Map<ScriptFormat, Promise<BuildContext<BuildOutput>>>();
  #travelling: InstalledPackage[] = [];
  #importsPackages = false;

  constructor(source: CodeSource) {
    this.#source = source;
    this.#finder = new PackageFinder(source.buildModules === undefined ? [] : [source.buildModules]);
  }

  /** Throws a CliError that shows the place in the source. */
  async bundle(): Promise<BundledCode> {
    try {
      return (await this.#asCommonJs()) ?? this.#code(await this.#build("esm"), "esm");
    } catch (error) {
      throw buildError(error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const context of this.#contexts.values()) await (await context).dispose();
  }

  /** undefined: only an ES module can be what this one is. */
  async #asCommonJs(): Promise<BundledCode | undefined> {
    const result = await this.#build("cjs").catch((error: unknown) => {
      if (messagesOf(error).some(({ text }) => text.startsWith("Top-level await"))) return undefined;
      throw error;
    });
    if (result === undefined) return undefined;
    if (!isModule(this.#source, result.metafile)) return this.#code(result, "cjs");
    // Packages that an ES module imports may look different to one that requires them.
    const isBound = this.#importsPackages || result.warnings.some(({ id }) => id === "empty-import-meta");
    return isBound ? undefined : this.#code(result, "cjs", `"use strict"; `);
  }

  #code(result: BuildOutputResult, format: ScriptFormat, prefix = ""): BundledCode {
    const script = scriptPath(this.#source, format);
    const { folder } = this.#source;
    return {
      script,
      format,
      files: scriptFiles(result, { path: script, prefix }),
      packages: this.#finder.closure(this.#travelling),
      inputs: Object.keys(result.metafile.inputs).map((path) => resolve(folder, path)),
    };
  }

  async #build(format: ScriptFormat): Promise<BuildOutputResult> {
    const known = this.#contexts.get(format) ?? this.#open(format);
    this.#contexts.set(format, known);
    return await (await known).rebuild();
  }

  async #open(format: ScriptFormat): Promise<BuildContext<BuildOutput>> {
    const { folder, entry, buildModules, target } = this.#source;
    const { context } = await import("esbuild");
    return await context({
      format,
      ...surroundings[format],
      outfile: scriptPath(this.#source, format),
      plugins: [this.#resolution()],
      absWorkingDir: folder,
      entryPoints: [entry],
      bundle: true,
      write: false,
      metafile: true,
      platform: "node",
      target: target ?? "node26",
      nodePaths: buildModules === undefined ? [] : [buildModules],
      sourcemap: "external",
      sourcesContent: false,
      legalComments: "none",
      logLevel: "silent",
    });
  }

  /** Decides for every bare import whether it becomes part of the script. */
  #resolution(): Plugin {
    const fdks = new Map(bundledFdks().map((fdk) => [fdk.name, fdk.directory]));
    return {
      name: "function-imports",
      setup: (build) => {
        build.onStart(() => {
          this.#travelling = [];
          this.#importsPackages = false;
        });
        build.onResolve({ filter: /^[^./]/ }, async ({ path, kind, resolveDir, pluginData }) => {
          if (kind === "entry-point" || pluginData === "own fdk" || isBuiltin(path)) return undefined;
          const name = packageName(path);
          const found = this.#finder.find(name, resolveDir);
          if (found !== undefined) {
            if (!name.startsWith("oci-") && !this.#finder.isNative(found)) return undefined;
            this.#travelling.push(found);
            this.#importsPackages ||= kind === "import-statement";
            return { path, external: true };
          }
          const directory = fdks.get(name);
          if (directory === undefined) return undefined;
          return await build.resolve(path, { kind, resolveDir: dirname(directory), pluginData: "own fdk" });
        });
      },
    };
  }
}

type BuildOutput = { readonly write: false; readonly metafile: true };
type BuildOutputResult = BuildResult<BuildOutput>;

function scriptPath({ entry }: CodeSource, format: ScriptFormat): string {
  const { dir, name } = parse(entry);
  return join(dir, `${name}.bundle.${format === "esm" ? "mjs" : "cjs"}`);
}

/** How Node would read the entry file: by its extension, its package's type, else by its own syntax. */
function isModule(source: CodeSource, { inputs }: Metafile): boolean {
  const extension = extname(source.entry);
  if (extension === ".mjs" || extension === ".mts") return true;
  if (extension === ".cjs" || extension === ".cts") return false;
  const format = Object.entries(inputs).find(
    ([path]) => resolve(source.folder, path) === resolve(source.folder, source.entry),
  )?.[1].format;
  return packageType(source) === "module" || (format ?? (extension === ".ts" ? "esm" : "cjs")) === "esm";
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

/** One line before the script: what modules of the other kind expect to find around them. */
const surroundings = {
  cjs: {
    banner: {
      js: `const __importMetaUrl = require("node:url").pathToFileURL(__filename).href, __importMetaMain = require.main === module;`,
    },
    define: {
      "import.meta.dirname": "__dirname",
      "import.meta.filename": "__filename",
      "import.meta.url": "__importMetaUrl",
      "import.meta.main": "__importMetaMain",
    },
  },
  esm: {
    banner: {
      js: `import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);`,
    },
    define: { __dirname: "import.meta.dirname", __filename: "import.meta.filename" },
  },
} as const;

function messagesOf(error: unknown): readonly Message[] {
  // Whatever was thrown: only esbuild's failures have such a list.
  return (error as Partial<BuildFailure>).errors ?? [];
}

function buildError(error: unknown): unknown {
  const [first, ...others] = messagesOf(error);
  if (first === undefined) return error;
  const missing = /^Could not resolve "([^"]+)"/.exec(first.text)?.[1];
  const hint =
    missing === undefined || missing.startsWith(".")
      ? "Correct the source, or set 'bundle: false' in func.yaml to send the folder as it is."
      : `Install it in the function's folder: npm install ${packageName(missing)}`;
  const frames = [frameOf(first), ...others.slice(0, furtherErrorsMax).flatMap((one) => [placed(one), frameOf(one)])];
  return new CliError(
    { what: `The code cannot be bundled: ${placed(first)}`, output: frames.flat().join("\n") || undefined, hint },
    { cause: error },
  );
}

const furtherErrorsMax = 4;

function placed({ location, text }: Message): string {
  return location === null ? text : `${location.file}:${location.line}:${location.column + 1}: ${text}`;
}

function frameOf({ location }: Message): string[] {
  return location === null ? [] : codeFrame(location);
}

/** The script and its source map, both free of where this machine keeps its packages. */
function scriptFiles(
  { outputFiles, metafile }: { readonly outputFiles: readonly OutputFile[]; readonly metafile: Metafile },
  script: { readonly path: string; readonly prefix: string },
): BundledCode["files"] {
  const code = outputFiles.find(({ path }) => !path.endsWith(".map"));
  const map = outputFiles.find(({ path }) => path.endsWith(".map"));
  if (code === undefined || map === undefined) throw new Error("esbuild made no script");
  const stable = stableNames(Object.keys(metafile.inputs));
  // Beside the script, not in it: what is in it is read, kept and hashed at each start.
  const mapPath = `${script.path}.map`;
  const text = `${script.prefix}${stable(code.text)}//# sourceMappingURL=${basename(mapPath)}\n`;
  return [
    { path: script.path, bytes: Buffer.from(text) },
    { path: mapPath, bytes: Buffer.from(stable(map.text)) },
  ];
}

/** Files outside of the folder appear by their path from it, which differs from place to place. */
function stableNames(inputs: readonly string[]): (text: string) => string {
  const outside = inputs.filter((path) => path.startsWith("../")).sort((a, b) => b.length - a.length);
  if (outside.length === 0) return (text) => text;
  const names = new Map(outside.map((path) => [path, stableName(path)]));
  const any = new RegExp(outside.map((path) => path.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("|"), "g");
  return (text) => text.replace(any, (path) => names.get(path) ?? path);
}

function stableName(path: string): string {
  const modules = path.lastIndexOf("node_modules/");
  return modules >= 0 ? path.slice(modules) : `outside/${path.split("/").slice(-3).join("/")}`;
}
