import type { Client } from "@chaya/client";
import { looksSecret } from "@chaya/contract";
import type { AppView, FnView } from "@chaya/contract/fn";
import { serverCommand } from "../command.ts";
import { findApp, findFn } from "../find-records.ts";
import { keyValues } from "../key-values.ts";
import { secretWarning } from "../secret-warning.ts";
import { table } from "../table.ts";

const APP = { summary: "Name or id of the application." } as const;
const fn = { value: "FN", summary: "Of this function; of the whole application when absent." } as const;

export const configCommands = [
  serverCommand({
    path: "config list",
    summary: "List configuration.",
    arguments: { APP },
    flags: { fn },
    run: async ({ client, print, arguments: words, flags }) => {
      const config = (await configured(client, words.APP, flags.fn)).record.config ?? {};
      print(config, () => table(["KEY", "VALUE"], Object.entries(config)));
    },
  }),
  serverCommand({
    path: "config set",
    summary: "Set configuration keys. Passwords and tokens belong into: chaya secrets set",
    arguments: { APP, "KEY=VALUE": { summary: "Keys with their values.", isRepeated: true } },
    flags: { fn },
    examples: ["chaya config set photos QUALITY=80 --fn resize"],
    run: async ({ client, print, terminal, arguments: words, flags }) => {
      const config = keyValues(words["KEY=VALUE"], "config set");
      for (const [key] of Object.entries(config).filter(([name, value]) => looksSecret(name, value))) {
        terminal.stderr.write(secretWarning({ key, app: words.APP, fn: flags.fn }));
      }
      const changed = await changeConfig(client, await configured(client, words.APP, flags.fn), config);
      print(changed, () => `Set ${Object.keys(config).join(", ")}.\n`);
    },
  }),
  serverCommand({
    path: "config unset",
    summary: "Remove configuration keys.",
    arguments: { APP, KEY: { summary: "Keys to remove.", isRepeated: true } },
    flags: { fn },
    run: async ({ client, print, arguments: words, flags }) => {
      const removals = Object.fromEntries(words.KEY.map((key) => [key, ""]));
      const changed = await changeConfig(client, await configured(client, words.APP, flags.fn), removals);
      print(changed, () => `Removed ${words.KEY.join(", ")}.\n`);
    },
  }),
];

type Configured = { readonly kind: "app"; readonly record: AppView } | { readonly kind: "fn"; readonly record: FnView };

async function configured(client: Client, appName: string, fnName: string | undefined): Promise<Configured> {
  const app = await findApp(client, appName);
  return fnName === undefined
    ? { kind: "app", record: app }
    : { kind: "fn", record: await findFn(client, app, fnName) };
}

/** An empty value removes a key: that is how Fn merges. */
async function changeConfig(
  client: Client,
  of: Configured,
  config: Record<string, string>,
): Promise<Record<string, string>> {
  const changed =
    of.kind === "app"
      ? await client.fn.updateApp({ appId: of.record.id, body: { config } })
      : await client.fn.updateFn({ fnId: of.record.id, body: { config } });
  return changed.config ?? {};
}
