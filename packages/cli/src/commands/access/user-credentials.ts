import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { AuthTokenView } from "@chaya/contract/oci/identity";
import { CliError, usageError } from "../../cli-error.ts";
import { serverCommand } from "../../command.ts";
import { findUser, openTenancy } from "../../find-identity.ts";
import { table } from "../../table.ts";

const USER = { summary: "Name or OCID of the user." } as const;

/** API keys, with which requests are signed, and auth tokens, which are sent as they are. */
export const userCredentialCommands = [
  serverCommand({
    path: "access keys list",
    summary: "List the API keys of a user.",
    arguments: { USER },
    run: async ({ client, print, arguments: words }) => {
      const { id } = await findUser(await openTenancy(client), words.USER);
      const keys = await client.identity.listApiKeys({ userId: id });
      const rows = keys.map((key) => [key.fingerprint, key.timeCreated]);
      print(keys, () => table(["FINGERPRINT", "CREATED"], rows));
    },
  }),
  serverCommand({
    path: "access keys upload",
    summary: "Add a public key whose signatures are the user's.",
    arguments: { USER, FILE: { summary: "The public key as PEM." } },
    examples: ["chaya access keys upload ada ~/.oci/oci_api_key_public.pem"],
    run: async ({ client, print, terminal, arguments: words }) => {
      const key = await readPublicKey(resolve(terminal.directory, words.FILE));
      const { id } = await findUser(await openTenancy(client), words.USER);
      const uploaded = await client.identity.uploadApiKey({ userId: id, body: { key } });
      print(uploaded, () => `Added the key ${uploaded.fingerprint}.\nkeyId  ${uploaded.keyId}\n`);
    },
  }),
  serverCommand({
    path: "access keys delete",
    summary: "Delete an API key of a user.",
    arguments: { USER, FINGERPRINT: { summary: "Fingerprint of the key." } },
    run: async ({ client, print, arguments: words }) => {
      const { id } = await findUser(await openTenancy(client), words.USER);
      await client.identity.deleteApiKey({ userId: id, fingerprint: words.FINGERPRINT });
      print({ deleted: words.FINGERPRINT }, () => `Deleted the key ${words.FINGERPRINT}.\n`);
    },
  }),
  serverCommand({
    path: "access tokens list",
    summary: "List the auth tokens of a user, without their values.",
    arguments: { USER },
    run: async ({ client, print, arguments: words }) => {
      const { id } = await findUser(await openTenancy(client), words.USER);
      const tokens = await client.identity.listAuthTokens({ userId: id });
      const rows = tokens.map((token) => [token.id, token.timeCreated, token.description]);
      print(tokens, () => table(["OCID", "CREATED", "DESCRIPTION"], rows));
    },
  }),
  serverCommand({
    path: "access tokens create",
    summary: "Make an auth token and print it: its value is never shown again.",
    arguments: { USER },
    flags: { description: { value: "TEXT", summary: "What the token is for." } },
    examples: ["CHAYA_TOKEN=$(chaya access tokens create ada) chaya apps list"],
    run: async ({ client, print, terminal, arguments: words, flags }) => {
      const user = await findUser(await openTenancy(client), words.USER);
      const body = { description: flags.description ?? "" };
      const token = await client.identity.createAuthToken({ userId: user.id, body });
      print(token, () => `${tokenText(token)}\n`);
      terminal.stderr.write(`A token of ${user.name}, shown this once: Authorization: Bearer TOKEN\n`);
    },
  }),
  serverCommand({
    path: "access tokens delete",
    summary: "Delete an auth token of a user.",
    arguments: { USER, TOKEN: { summary: "OCID of the token, not its value." } },
    run: async ({ client, print, arguments: words }) => {
      const { id } = await findUser(await openTenancy(client), words.USER);
      // A value must not stand in the path of a request, which is logged and audited.
      if (words.TOKEN.startsWith("chaya_")) throw usageError("That is the value of a token, not its OCID.");
      await client.identity.deleteAuthToken({ userId: id, authTokenId: words.TOKEN });
      print({ deleted: words.TOKEN }, () => `Deleted the token ${words.TOKEN}.\n`);
    },
  }),
];

/** A private key does not leave this machine, whatever the server would say to it. */
async function readPublicKey(file: string): Promise<string> {
  const text = await readFile(file, "utf8").catch((cause) => {
    throw new CliError({ what: `${file} cannot be read.`, why: cause.message }, { cause });
  });
  if (text.includes("PRIVATE KEY"))
    throw new CliError({
      what: `${file} is a private key, which stays with its owner.`,
      hint: `Upload its public half: openssl rsa -in ${file} -pubout -out public.pem`,
    });
  return text;
}

function tokenText({ token }: AuthTokenView): string {
  if (token === undefined) throw new CliError({ what: "The server did not give out the value of the token." });
  return token;
}
