import type { Client } from "@chaya/client";
import type { AppView } from "@chaya/contract/fn";
import { CliError } from "../cli-error.ts";
import { serverCommand } from "../command.ts";
import { allPages, findApp } from "../find-records.ts";
import { annotationValues, keyValues } from "../key-values.ts";
import { fields, table } from "../table.ts";

const app = { APP: { summary: "Name or id of the application." } } as const;
const settings = {
  config: {
    value: "KEY=VALUE",
    isRepeated: true,
    summary: "Configuration of all functions; an empty value removes a key.",
  },
  annotation: { value: "KEY=VALUE", isRepeated: true, summary: "Annotation; the value may be JSON." },
  "syslog-url": { value: "URL", summary: "Where output is sent too." },
} as const;

export const appCommands = [
  serverCommand({
    path: "apps list",
    summary: "List applications.",
    run: async ({ client, print }) => {
      const apps = await listApps(client);
      print(apps, () =>
        table(
          ["NAME", "ID", "UPDATED"],
          apps.map((one) => [one.name, one.id, one.updated_at]),
        ),
      );
    },
  }),
  serverCommand({
    path: "apps get",
    summary: "Show an application.",
    arguments: app,
    run: async ({ client, print, arguments: { APP } }) => {
      const found = await findApp(client, APP);
      print(found, () => appText(found));
    },
  }),
  serverCommand({
    path: "apps create",
    summary: "Create an application.",
    arguments: { APP: { summary: "Name of the new application." } },
    flags: settings,
    examples: ["chaya apps create photos --config GREETING=hello"],
    run: async ({ client, print, arguments: { APP }, flags }) => {
      const created = await client.fn.createApp({ body: { name: APP, ...appSpec(flags) } });
      print(created, () => `Created the application ${created.name} (${created.id}).\n`);
    },
  }),
  serverCommand({
    path: "apps update",
    summary: "Change configuration or annotations of an application.",
    arguments: app,
    flags: settings,
    run: async ({ client, print, arguments: { APP }, flags }) => {
      const { id } = await findApp(client, APP);
      const updated = await client.fn.updateApp({ appId: id, body: appSpec(flags) });
      print(updated, () => appText(updated));
    },
  }),
  serverCommand({
    path: "apps delete",
    summary: "Delete an application with its functions and triggers.",
    arguments: app,
    flags: { yes: { summary: "Delete its functions, too, without asking." } },
    run: async ({ client, print, arguments: { APP }, flags }) => {
      const found = await findApp(client, APP);
      const { items } = await client.fn.listFns({ app_id: found.id, per_page: "1" });
      if (items.length > 0 && !flags.yes) {
        throw new CliError({
          what: `The application '${found.name}' still has functions.`,
          why: "Deleting it deletes them, their triggers and their images.",
          hint: `To do that: chaya apps delete ${APP} --yes`,
        });
      }
      await client.fn.deleteApp({ appId: found.id });
      print({ deleted: found.id }, () => `Deleted the application ${found.name}.\n`);
    },
  }),
];

function listApps(client: Client): Promise<AppView[]> {
  return allPages(async (cursor) => {
    const { items, next_cursor: next } = await client.fn.listApps({ per_page: "100", cursor });
    return { items, next };
  });
}

interface AppSettings {
  readonly config: readonly string[];
  readonly annotation: readonly string[];
  readonly "syslog-url": string | undefined;
}

function appSpec(flags: AppSettings) {
  return {
    ...(flags.config.length > 0 && { config: keyValues(flags.config, "--config") }),
    ...(flags.annotation.length > 0 && { annotations: annotationValues(flags.annotation, "--annotation") }),
    ...(flags["syslog-url"] !== undefined && { syslog_url: flags["syslog-url"] }),
  };
}

function appText(found: AppView): string {
  const { config = {}, annotations = {} } = found;
  const shown = Object.entries(annotations).map(([key, value]) => [`annotation ${key}`, JSON.stringify(value)]);
  return fields({
    name: found.name,
    id: found.id,
    syslog: found.syslog_url,
    shape: found.shape,
    created: found.created_at,
    updated: found.updated_at,
    ...Object.fromEntries(Object.entries(config).map(([key, value]) => [`config ${key}`, value])),
    ...Object.fromEntries(shown),
  });
}
