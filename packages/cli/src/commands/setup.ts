import { generateKeyPair } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import type { Client } from "@chaya/client";
import { CliError, usageError } from "../cli-error.ts";
import { serverCommand } from "../command.ts";
import { withProfile } from "../oci-config.ts";

const administrators = "Administrators";

export const setupCommands = [
  serverCommand({
    path: "setup oci",
    summary: "Make an administrator with an API key and a profile for OCI's SDKs and CLI.",
    flags: {
      file: { value: "PATH", summary: "The configuration file (~/.oci/config); other profiles in it stay." },
      profile: { value: "NAME", summary: "The profile to add or replace (CHAYA)." },
      user: { value: "NAME", summary: "The user to make, or to give a new key (oci)." },
    },
    examples: ["chaya setup oci --file ./oci.conf"],
    run: async ({ client, print, flags }) => {
      const file = resolve(flags.file ?? join(homedir(), ".oci", "config"));
      const profile = flags.profile ?? "CHAYA";
      if (!/^[\w.-]+$/.test(profile)) throw usageError(`--profile: '${profile}' is not a name.`, "Example: CHAYA");
      const made = await makeProfile(client, { file, profile, userName: flags.user ?? "oci" });
      print(made, () => profileText(made, client.url));
    },
  }),
];

interface MadeProfile {
  readonly file: string;
  readonly profile: string;
  readonly user: string;
  readonly fingerprint: string;
  readonly tenancy: string;
  readonly region: string;
  readonly keyFile: string;
}

async function makeProfile(
  client: Client,
  { file, profile, userName }: { readonly file: string; readonly profile: string; readonly userName: string },
): Promise<MadeProfile> {
  const { tenancy, region } = await client.chaya.getNode();
  const before = existsSync(file) ? await readFile(file, "utf8") : "";
  const userId = await administratorNamed(client, tenancy, userName);
  const keyFile = join(dirname(file), `${profile.toLowerCase()}-api-key.pem`);
  const { publicKey, privateKey } = await promisify(generateKeyPair)("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  const uploaded = await client.identity.uploadApiKey({ userId, body: { key: publicKey } });
  const fingerprint = uploaded.fingerprint;
  if (fingerprint === undefined) throw new CliError({ what: "The server gave the key no fingerprint." });
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await writePrivately(keyFile, privateKey);
  const made = { user: userId, fingerprint, tenancy, region, keyFile };
  await writePrivately(file, withProfile(before, { name: profile, ...made }));
  await removeReplacedKey(client, { before, userId, fingerprint });
  return { file, profile, ...made };
}

/** The OCID of the user, made when there is none, as a member of the group Administrators. */
async function administratorNamed(client: Client, tenancy: string, name: string): Promise<string> {
  const [known] = await client.identity.listUsers({ compartmentId: tenancy, name });
  const description = "Made by chaya setup oci.";
  const user = known ?? (await client.identity.createUser({ body: { compartmentId: tenancy, name, description } }));
  const [group] = await client.identity.listGroups({ compartmentId: tenancy, name: administrators });
  if (group === undefined) throw new CliError({ what: `There is no group '${administrators}' any more.` });
  const ids = { compartmentId: tenancy, userId: user.id, groupId: group.id };
  const [member] = await client.identity.listUserGroupMemberships(ids);
  if (member === undefined) await client.identity.addUserToGroup({ body: { userId: user.id, groupId: group.id } });
  return user.id;
}

/** The key that the profile had until now, if it was this user's: a user has only a few. */
async function removeReplacedKey(
  client: Client,
  { before, userId, fingerprint }: { readonly before: string; readonly userId: string; readonly fingerprint: string },
): Promise<void> {
  const keys = await client.identity.listApiKeys({ userId });
  for (const { fingerprint: old } of keys)
    if (old !== undefined && old !== fingerprint && before.includes(old))
      await client.identity.deleteApiKey({ userId, fingerprint: old });
}

/** Whole or not at all, for its owner only. */
async function writePrivately(path: string, text: string): Promise<void> {
  const unfinished = `${path}.new`;
  await writeFile(unfinished, text, { mode: 0o600 });
  await chmod(unfinished, 0o600);
  await rename(unfinished, path);
}

function profileText({ file, profile, keyFile }: MadeProfile, url: string): string {
  return [
    `The profile ${profile} is in ${file}, its key in ${keyFile}.`,
    `Point clients at ${url}:`,
    `  Node    client.endpoint = "${url}"`,
    `  Go      client.Host = "${url}"`,
    `  Python  service_endpoint="${url}"`,
    `  Java    client.setEndpoint("${url}")`,
    `  CLI     oci --config-file ${file} --profile ${profile} --endpoint ${url} …`,
    "",
  ].join("\n");
}
