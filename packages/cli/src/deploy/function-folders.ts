import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { functionFilePath } from "./function-file.ts";

const depthMax = 8;

/** Folders with a function file, the outermost first; node_modules and hidden folders are not looked into. */
export async function functionFolders(folder: string, depth = 0): Promise<string[]> {
  if (depth > depthMax) return [];
  const entries = await readdir(folder, { withFileTypes: true });
  const below = entries.filter(
    (entry) => entry.isDirectory() && !entry.name.startsWith(".") && entry.name !== "node_modules",
  );
  const deeper: string[] = [];
  for (const { name } of below.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    deeper.push(...(await functionFolders(join(folder, name), depth + 1)));
  }
  return functionFilePath(folder) === undefined ? deeper : [folder, ...deeper];
}
