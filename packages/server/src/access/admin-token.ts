import { chmod, mkdir, open, rename, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Random } from "../kernel/random.ts";
import type { AccessRecordDeps } from "./records/commit.ts";
import { replaceAdminToken } from "./records/session-tokens.ts";
import { mintToken } from "./tokens/token-text.ts";

export interface AdminTokenDeps extends AccessRecordDeps {
  readonly random: Random;
  /** Path and id of the data directory, which no other server uses. */
  readonly data: { readonly path: string; readonly serverId: string };
  /** The id of the user `admin`, who is in the group Administrators. */
  readonly ensureAdministrator: () => Promise<string>;
}

/**
 * The file with which whoever owns the data directory administers the platform: made when it is missing, with a token
 * that takes the place of the one it held before. Returns its path. A crash between the two leaves a token that nobody
 * has; the next start replaces it.
 */
export async function ensureAdminToken(deps: AdminTokenDeps): Promise<string> {
  const file = join(deps.data.path, "keys", "admin.token");
  if (await exists(file)) return file;
  const userId = await deps.ensureAdministrator();
  const { text, hash } = mintToken(deps.random);
  await replaceAdminToken(deps, { serverId: deps.data.serverId, userId, hash });
  await writePrivately(file, `${text}\n`);
  return file;
}

async function exists(file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
}

/** Whole or not there at all, for its owner only, and on disk before anybody is told of it. */
async function writePrivately(file: string, text: string): Promise<void> {
  const folder = dirname(file);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  const unfinished = `${file}.new`;
  await using opened = await open(unfinished, "w", 0o600);
  await opened.chmod(0o600);
  await opened.writeFile(text);
  await opened.sync();
  await rename(unfinished, file);
  await using directory = await open(folder);
  await directory.sync();
}
