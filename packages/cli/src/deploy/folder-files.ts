import { lstat, readdir, readFile, realpath, stat } from "node:fs/promises";
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
}

/** Every file below a folder. Links become the files they lead to: a bundle has none. */
export async function folderFiles(folder: string, options: FolderOptions): Promise<FolderFiles> {
  const files: TarFile[] = [];
  const warnings: string[] = [];
  const root = await realpath(folder);
  await walk({ directory: folder, path: "", ancestors: [root] });
  return { files, warnings };

  async function walk(at: { directory: string; path: string; ancestors: readonly string[] }): Promise<void> {
    for (const name of (await readdir(at.directory)).sort()) {
      const [full, path] = [join(at.directory, name), at.path + name];
      const isLink = (await lstat(full)).isSymbolicLink();
      const target = isLink ? await linkTarget(full) : full;
      if (target === undefined || (isLink && !options.mayLeave && !isInside(target, root))) {
        if (!options.isIgnored(path, false))
          warnings.push(
            `${path} is left out: it is a link that leads ${target === undefined ? "nowhere" : "out of the folder"}`,
          );
        continue;
      }
      const found = await stat(target);
      if (options.isIgnored(path, found.isDirectory())) continue;
      if (found.isDirectory()) {
        const real = isLink ? target : join(at.ancestors.at(-1) ?? root, name);
        if (!at.ancestors.includes(real))
          await walk({ directory: full, path: `${path}/`, ancestors: [...at.ancestors, real] });
      } else if (found.isFile()) {
        files.push({
          path: options.prefix + path,
          bytes: await readFile(target),
          isExecutable: (found.mode & 0o100) !== 0,
        });
      } else warnings.push(`${path} is left out: it is neither a file nor a folder`);
    }
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
