import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { folderFiles } from "./folder-files.ts";
import type { TarFile } from "./tar.ts";

/** An installed npm package. */
export interface InstalledPackage {
  readonly name: string;
  readonly directory: string;
  /** The outermost node_modules it lies in. */
  readonly modules: string;
}

const entriesLookedAtMax = 5_000;

/** `@scope/name/deep/file` → `@scope/name`. */
export function packageName(specifier: string): string {
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}

/** Finds packages as Node does, upwards from the importer, and then in the further node_modules. */
export class PackageFinder {
  readonly #furtherModules: readonly string[];
  readonly #nativeness = new Map<string, boolean>();

  constructor(furtherModules: readonly string[]) {
    this.#furtherModules = furtherModules;
  }

  find(name: string, importer: string): InstalledPackage | undefined {
    const places = [...modulesAbove(importer), ...this.#furtherModules];
    const modules = places.find((place) => existsSync(join(place, name, "package.json")));
    return modules === undefined ? undefined : { name, directory: join(modules, name), modules: outermost(modules) };
  }

  /** true when the package or one it needs holds compiled code, which no bundler can take along in a script. */
  isNative(found: InstalledPackage): boolean {
    const known = this.#nativeness.get(found.directory);
    if (known !== undefined) return known;
    // Packages that need each other in a circle are native when any of them is: asked again inside, the answer is no.
    this.#nativeness.set(found.directory, false);
    const isNative = hasCompiledCode(found.directory) || this.#needed(found).some((one) => this.isNative(one));
    this.#nativeness.set(found.directory, isNative);
    return isNative;
  }

  /** The packages and everything they need. */
  closure(start: readonly InstalledPackage[]): readonly InstalledPackage[] {
    const all = new Map(start.map((found) => [found.directory, found]));
    for (const found of all.values()) for (const needed of this.#needed(found)) all.set(needed.directory, needed);
    return [...all.values()];
  }

  /** Dependencies that are installed; optional ones of other systems are not. */
  #needed(of: InstalledPackage): InstalledPackage[] {
    const manifest: PackageManifest = JSON.parse(readFileSync(join(of.directory, "package.json"), "utf8"));
    const names = Object.keys({
      ...manifest.dependencies,
      ...manifest.optionalDependencies,
      ...manifest.peerDependencies,
    });
    return names.map((name) => this.find(name, of.directory)).filter((found) => found !== undefined);
  }
}

interface PackageManifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** The files of packages, at the places below node_modules where the code finds them. */
export async function packageFiles(packages: readonly InstalledPackage[]): Promise<TarFile[]> {
  const files = new Map<string, TarFile>();
  for (const { directory, modules } of packages) {
    const prefix = `node_modules/${relative(modules, directory)}/`;
    // A package's own node_modules are packages of the closure, each at its place.
    const isIgnored = (path: string) => path === "node_modules" || path.startsWith("node_modules/");
    const found = await folderFiles(directory, { prefix, isIgnored, mayLeave: true });
    for (const file of found.files) if (!files.has(file.path)) files.set(file.path, file);
  }
  return [...files.values()];
}

function* modulesAbove(directory: string): Iterable<string> {
  for (let at = directory; ; at = dirname(at)) {
    yield join(at, "node_modules");
    if (dirname(at) === at) return;
  }
}

function outermost(modules: string): string {
  const end = modules.indexOf("/node_modules");
  return modules.slice(0, end + "/node_modules".length);
}

function hasCompiledCode(directory: string): boolean {
  if (existsSync(join(directory, "binding.gyp"))) return true;
  const waiting = [directory];
  let lookedAt = 0;
  for (let at = waiting.pop(); at !== undefined && lookedAt < entriesLookedAtMax; at = waiting.pop()) {
    for (const entry of readdirSync(at, { withFileTypes: true })) {
      lookedAt += 1;
      if (entry.name.endsWith(".node")) return true;
      if (entry.isDirectory() && entry.name !== "node_modules") waiting.push(join(at, entry.name));
    }
  }
  return false;
}
