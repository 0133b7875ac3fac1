import type { ControlRoute } from "../http/control-route.ts";
import { createAccessDirectory, type DirectoryDeps, type OpenAccessDirectory } from "./directory.ts";
import { type IdentityApiDeps, identityRoutes } from "./handlers/index.ts";
import { ensureAdministrator, ensureBuiltIns } from "./records/built-in-records.ts";

export type IdentityDeps = DirectoryDeps & Omit<IdentityApiDeps, "directory">;

export interface Identity extends AsyncDisposable {
  readonly directory: OpenAccessDirectory;
  readonly routes: readonly ControlRoute[];
  /** The id of the user `admin`, made as an administrator if there is none. */
  readonly ensureAdministrator: () => Promise<string>;
}

/**
 * Compartments, users, groups, their credentials and policies, with what every tenancy has. The changes feed must have
 * been started.
 */
export async function createIdentity(deps: IdentityDeps): Promise<Identity> {
  const directory = await createAccessDirectory(deps);
  try {
    await ensureBuiltIns(deps);
  } catch (error) {
    directory[Symbol.dispose]();
    throw error;
  }
  return {
    directory,
    routes: identityRoutes({ ...deps, directory }),
    ensureAdministrator: async () => (await ensureAdministrator(deps)).record.id,
    [Symbol.asyncDispose]: async () => directory[Symbol.dispose](),
  };
}
