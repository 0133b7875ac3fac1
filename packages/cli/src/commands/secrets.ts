import type { Client } from "@chaya/client";
import { serverCommand } from "../command.ts";
import { findApp } from "../find-records.ts";
import { readSecretValue } from "../secret-prompt.ts";
import { table } from "../table.ts";

const APP = { summary: "Name or id of the application." } as const;
const NAME = { summary: "Name of the secret: the environment variable the function reads." } as const;
const fn = { value: "FN", summary: "For this function only; for the whole application when absent." } as const;

export const secretCommands = [
  serverCommand({
    path: "secrets list",
    summary: "List the names of secrets. Values are never given out.",
    arguments: { APP },
    flags: { fn },
    run: async ({ client, print, arguments: words, flags }) => {
      const { items } = await client.chaya.listSecrets({ appId: await appId(client, words.APP), fn: flags.fn });
      const rows = items.map((secret) => [secret.name, secret.function ?? "(all)", secret.updatedAt]);
      print(items, () => table(["NAME", "FUNCTION", "UPDATED"], rows));
    },
  }),
  serverCommand({
    path: "secrets set",
    summary: "Set a secret; the value comes from standard input or a prompt.",
    arguments: { APP, NAME },
    flags: { fn, value: { value: "VALUE", summary: "The value itself: it ends up in your shell's history." } },
    examples: ["chaya secrets set photos API_TOKEN < token.txt"],
    run: async ({ client, print, terminal, arguments: words, flags }) => {
      const id = await appId(client, words.APP);
      if (flags.value !== undefined) {
        terminal.stderr.write(
          "Warning: the value is in your shell's history and was visible to other users of this machine.\n",
        );
      }
      const value = flags.value ?? (await readSecretValue(terminal, words.NAME));
      const secret = await client.chaya.setSecret({ appId: id, name: words.NAME, fn: flags.fn, body: { value } });
      print(secret, () => `Set ${secret.name}. Instances that start from now on see it.\n`);
    },
  }),
  serverCommand({
    path: "secrets unset",
    summary: "Remove a secret.",
    arguments: { APP, NAME },
    flags: { fn },
    run: async ({ client, print, arguments: words, flags }) => {
      await client.chaya.unsetSecret({ appId: await appId(client, words.APP), name: words.NAME, fn: flags.fn });
      print({ deleted: words.NAME }, () => `Removed ${words.NAME}.\n`);
    },
  }),
];

async function appId(client: Client, name: string): Promise<string> {
  return (await findApp(client, name)).id;
}
