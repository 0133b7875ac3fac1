import { generateKeyPair } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { Client } from "@chaya/client";
import { limits } from "@chaya/contract";
import { administratorNamed } from "../administrator.ts";
import { CliError } from "../cli-error.ts";
import { openTenancy } from "../find-identity.ts";
import { profileValue, withProfile } from "../oci-config.ts";
import { writePrivateFile } from "../private-file.ts";

export interface MadeProfile {
  readonly file: string;
  readonly profile: string;
  /** OCID. */
  readonly user: string;
  readonly fingerprint: string;
  readonly tenancy: string;
  readonly region: string;
  /** Absolute. */
  readonly keyFile: string;
}

interface ProfileOptions {
  /** Absolute path of the configuration file. */
  readonly file: string;
  readonly profile: string;
  readonly userName: string;
}

/**
 * Gives an administrator a fresh key and writes the profile with it; the key that the profile had before is deleted, if
 * it was this user's. Throws CliError when the user has as many keys as there may be.
 */
export async function makeOciProfile(client: Client, options: ProfileOptions): Promise<MadeProfile> {
  const { file, profile, userName } = options;
  const tenancy = await openTenancy(client);
  const before = existsSync(file) ? await readFile(file, "utf8") : "";
  const userId = await administratorNamed(tenancy, userName, "Made by chaya setup oci.");
  const replaced = await replacedKey(client, {
    userId,
    userName,
    fingerprint: profileValue(before, profile, "fingerprint"),
  });
  // It has to make room for the new one; otherwise the profile works until it is replaced.
  if (replaced.mustGoFirst) await replaced.remove();
  const { publicKey, privateKey } = await promisify(generateKeyPair)("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  const { fingerprint } = await client.identity.uploadApiKey({ userId, body: { key: publicKey } });
  const keyFile = join(dirname(file), `${profile.toLowerCase()}-api-key.pem`);
  const made = { user: userId, fingerprint, tenancy: tenancy.id, region: tenancy.region, keyFile };
  await writePrivateFile(keyFile, privateKey);
  await writePrivateFile(file, withProfile(before, { name: profile, ...made }));
  if (!replaced.mustGoFirst) await replaced.remove();
  return { file, profile, ...made };
}

async function replacedKey(
  client: Client,
  of: { readonly userId: string; readonly userName: string; readonly fingerprint: string | undefined },
): Promise<{ readonly mustGoFirst: boolean; remove(): Promise<void> }> {
  const { userId, userName } = of;
  const keys = await client.identity.listApiKeys({ userId });
  const old = keys.find(({ fingerprint }) => fingerprint === of.fingerprint)?.fingerprint;
  const isFull = keys.length >= limits.apiKeysPerUserMax;
  if (isFull && old === undefined)
    throw new CliError({
      what: `The user '${userName}' has ${keys.length} API keys already, which is the limit.`,
      why: keys.map(({ fingerprint }) => fingerprint).join(", "),
      hint: `Delete one (chaya access keys delete ${userName} FINGERPRINT), or name another user with --user.`,
    });
  const remove = async () => {
    if (old !== undefined) await client.identity.deleteApiKey({ userId, fingerprint: old });
  };
  return { mustGoFirst: isFull, remove };
}
