// Packs a folder exactly as `chaya deploy` does, so that what is measured is what users get.

import { BundleMemory } from "../../packages/cli/src/deploy/bundle-memory.ts";
import { buildAndPack } from "../../packages/cli/src/deploy/deploy-function.ts";
import { readFunctionFile } from "../../packages/cli/src/deploy/function-file.ts";
import { processTerminal } from "../../packages/cli/src/terminal.ts";

export async function cliBundle(folder: string): Promise<Buffer> {
  const terminal = { ...processTerminal(), directory: folder };
  await using memory = new BundleMemory(terminal.nowMs);
  const file = await readFunctionFile(folder);
  return (await buildAndPack(terminal, { folder, file, memory, isDraft: false })).bytes;
}
