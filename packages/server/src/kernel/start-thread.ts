import { getCompileCacheDir } from "node:module";
import { dirname, extname } from "node:path";
import { Worker, type WorkerOptions } from "node:worker_threads";

/**
 * Starts the thread whose entry lies beside the module `from`, named without its extension. A thread does not find by
 * itself what this process has compiled before: from sources, it would load the type stripper, which takes longer and
 * more memory than all the thread does.
 */
export function startThread(from: string, name: string, options: WorkerOptions): Worker {
  const entry = new URL(`./${name}${extname(from)}`, from);
  const cache = getCompileCacheDir();
  if (cache === undefined) return new Worker(entry, options);
  // Node puts the directory of its version below the one it is given.
  const code = `require("node:module").enableCompileCache(${JSON.stringify(dirname(cache))});
import(${JSON.stringify(entry.href)});`;
  return new Worker(code, { ...options, eval: true });
}
