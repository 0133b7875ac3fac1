import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import type { Client } from "@chaya/client";
import { limits } from "@chaya/contract";
import { administratorNamed } from "../administrator.ts";
import { CliError } from "../cli-error.ts";
import { openTenancy } from "../find-identity.ts";
import { writePrivateFile } from "../private-file.ts";
import { withYamlKeys } from "../yaml-keys.ts";

export interface MadeContext {
  readonly context: string;
  readonly file: string;
  /** OCID. */
  readonly user: string;
}

interface ContextOptions {
  /** `~/.fn`. */
  readonly folder: string;
  readonly context: string;
  readonly userName: string;
}

/**
 * Gives an administrator a fresh auth token, writes the context with it and makes it the current one; the token that an
 * earlier run of this machine made for the context is deleted. Throws CliError when there is no room for another token.
 */
export async function makeFnContext(
  client: Client,
  { folder, context, userName }: ContextOptions,
): Promise<MadeContext> {
  const tenancy = await openTenancy(client);
  const userId = await administratorNamed(tenancy, userName, "Made by chaya setup fn.");
  const description = `chaya setup fn: ${context} on ${hostname()}`;
  const tokens = await client.identity.listAuthTokens({ userId });
  const old = tokens.filter((token) => token.description === description);
  const removeOld = async () => {
    for (const { id } of old) await client.identity.deleteAuthToken({ userId, authTokenId: id });
  };
  const isFull = tokens.length >= limits.authTokensPerUserMax;
  if (isFull && old.length === 0)
    throw new CliError({
      what: `The user '${userName}' has ${tokens.length} auth tokens already, which is the limit.`,
      hint: `Delete one (chaya access tokens list ${userName}), or name another user with --user.`,
    });
  if (isFull) await removeOld();
  const { token } = await client.identity.createAuthToken({ userId, body: { description } });
  if (token === undefined) throw new CliError({ what: "The server did not give out the value of the token." });
  const file = join(folder, "contexts", `${context}.yaml`);
  const before = await textOf(file);
  const registry = /^registry:/m.test(before) ? {} : { registry: "" };
  const values = { "api-url": client.url, provider: "default", ...registry, token };
  await writePrivateFile(file, withYamlKeys(before, values));
  const settings = join(folder, "config.yaml");
  await writePrivateFile(settings, withYamlKeys(await textOf(settings), { "current-context": context }));
  if (!isFull) await removeOld();
  return { context, file, user: userId };
}

async function textOf(file: string): Promise<string> {
  return existsSync(file) ? await readFile(file, "utf8") : "";
}
