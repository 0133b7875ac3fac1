import type { Stats } from "node:fs";
import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import type { IsIgnored } from "./ignore-rules.ts";
import type { TarFile } from "./tar.ts";

export interface FolderFiles {
  readonly files: readonly TarFile[];
  /** What was left out although no rule says so, as sentences. */
  readonly warnings: readonly string[];
}

export interface FolderOptions {
  /** Where the files stand in the bundle, ending with `/`; empty: at its top. */
  readonly prefix: string;
  readonly isIgnored: IsIgnored;
  /** Links may lead out of the folder: true below node_modules only, where npm makes them. */
  readonly mayLeave: boolean;
  /** Reads a file of which `found` was just asked; from the disk when absent. */
  readonly readFile?: (path: string, found: Stats) => Promise<Uint8Array>;
}

/** Every file below a folder. Links become the files they lead to: a bundle has none. */
export async function folderFiles(folder: string, options: FolderOptions): Promise<FolderFiles> {
  const { readFile: read = (path: string) => readFile(path) } = options;
  const files: TarFile[] = [];
  const warnings: string[] = [];
  const root = await realpath(folder);
  await walk({ directory: folder, path: "", ancestors: [root] });
  return { files, warnings };

  async function walk(at: { directory: string; path: string; ancestors: readonly string[] }): Promise<void> {
    const entries = (await ifPresent(readdir(at.directory, { withFileTypes: true }))) ?? [];
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const { name } = entry;
      const [full, path] = [join(at.directory, name), at.path + name];
      const isLink = entry.isSymbolicLink();
      const target = isLink ? await linkTarget(full) : full;
      if (target === undefined || (isLink && !options.mayLeave && !isInside(target, root))) {
        if (!options.isIgnored(path, false))
          warnings.push(
            `${path} is left out: it is a link that leads ${target === undefined ? "nowhere" : "out of the folder"}`,
          );
        continue;
      }
      const found = await ifPresent(stat(target));
      if (found === undefined) continue;
      if (options.isIgnored(path, found.isDirectory())) continue;
      if (found.isDirectory()) {
        const real = isLink ? target : join(at.ancestors.at(-1) ?? root, name);
        if (!at.ancestors.includes(real))
          await walk({ directory: full, path: `${path}/`, ancestors: [...at.ancestors, real] });
      } else if (found.isFile()) {
        const bytes = await ifPresent(read(target, found));
        if (bytes === undefined) continue;
        files.push({ path: options.prefix + path, bytes, isExecutable: (found.mode & 0o100) !== 0 });
      } else warnings.push(`${path} is left out: it is neither a file nor a folder`);
    }
  }
}

/** Editors make files and remove them again at once: one that is gone when it is looked at is none of the folder's. */
async function ifPresent<T>(look: Promise<T>): Promise<T | undefined> {
  try {
    return await look;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

async function linkTarget(path: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch {
    return undefined;
  }
}

function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder + sep);
}
