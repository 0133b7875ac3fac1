import type { Client } from "@chaya/client";
import type { TriggerView } from "@chaya/contract/fn";
import { serverCommand } from "../command.ts";
import { allPages, endpointOf, findApp, findFn, findTrigger, triggerEndpointKey } from "../find-records.ts";
import { annotationValues } from "../key-values.ts";
import { fields, table } from "../table.ts";
import { listFns } from "./functions.ts";

const APP = { summary: "Name or id of the application." } as const;
const FN = { summary: "Name or id of the function." } as const;
const TRIGGER = { summary: "Name of the trigger." } as const;
const source = { value: "/PATH", summary: "The path after /t/APP that calls the function." } as const;
const annotation = { value: "KEY=VALUE", isRepeated: true, summary: "Annotation; the value may be JSON." } as const;

export const triggerCommands = [
  serverCommand({
    path: "triggers list",
    summary: "List the HTTP triggers of an application.",
    arguments: { APP, FN: { summary: "Only those of this function.", isOptional: true } },
    run: async ({ client, print, arguments: words }) => {
      const app = await findApp(client, words.APP);
      const fn = words.FN === undefined ? undefined : await findFn(client, app, words.FN);
      const triggers = await listTriggers(client, { app_id: app.id, fn_id: fn?.id });
      const names = new Map((await listFns(client, app)).map((one) => [one.id, one.name]));
      const rows = triggers.map((one) => [
        one.name,
        names.get(one.fn_id) ?? one.fn_id,
        one.source,
        endpointOf(one, triggerEndpointKey),
      ]);
      print(triggers, () => table(["NAME", "FUNCTION", "SOURCE", "ENDPOINT"], rows));
    },
  }),
  serverCommand({
    path: "triggers get",
    summary: "Show a trigger.",
    arguments: { APP, FN, TRIGGER },
    run: async ({ client, print, arguments: words }) => {
      const trigger = await triggerOf(client, words);
      print(trigger, () => triggerText(trigger));
    },
  }),
  serverCommand({
    path: "triggers create",
    summary: "Create an HTTP trigger.",
    arguments: { APP, FN, TRIGGER },
    flags: { source, annotation },
    examples: ["chaya triggers create photos resize web --source /resize"],
    run: async ({ client, print, arguments: words, flags }) => {
      const app = await findApp(client, words.APP);
      const fn = await findFn(client, app, words.FN);
      const path = flags.source ?? `/${words.TRIGGER}`;
      const annotations = annotationValues(flags.annotation, "--annotation");
      const body = { name: words.TRIGGER, app_id: app.id, fn_id: fn.id, type: "http", source: path, annotations };
      const trigger = await client.fn.createTrigger({ body });
      print(trigger, () => triggerText(trigger));
    },
  }),
  serverCommand({
    path: "triggers update",
    summary: "Change the path or annotations of a trigger.",
    arguments: { APP, FN, TRIGGER },
    flags: { source, annotation },
    run: async ({ client, print, arguments: words, flags }) => {
      const { id } = await triggerOf(client, words);
      const annotations = annotationValues(flags.annotation, "--annotation");
      const trigger = await client.fn.updateTrigger({ triggerId: id, body: { source: flags.source, annotations } });
      print(trigger, () => triggerText(trigger));
    },
  }),
  serverCommand({
    path: "triggers delete",
    summary: "Delete a trigger.",
    arguments: { APP, FN, TRIGGER },
    run: async ({ client, print, arguments: words }) => {
      const trigger = await triggerOf(client, words);
      await client.fn.deleteTrigger({ triggerId: trigger.id });
      print({ deleted: trigger.id }, () => `Deleted the trigger ${trigger.name}.\n`);
    },
  }),
];

function listTriggers(
  client: Client,
  of: { readonly app_id: string; readonly fn_id: string | undefined },
): Promise<TriggerView[]> {
  return allPages(async (cursor) => {
    const { items, next_cursor: next } = await client.fn.listTriggers({ ...of, per_page: "100", cursor });
    return { items, next };
  });
}

async function triggerOf(
  client: Client,
  words: { readonly APP: string; readonly FN: string; readonly TRIGGER: string },
): Promise<TriggerView> {
  return await findTrigger(client, await findFn(client, await findApp(client, words.APP), words.FN), words.TRIGGER);
}

function triggerText(trigger: TriggerView): string {
  const annotations = Object.entries(trigger.annotations ?? {}).filter(([key]) => key !== triggerEndpointKey);
  return fields({
    name: trigger.name,
    id: trigger.id,
    source: trigger.source,
    endpoint: endpointOf(trigger, triggerEndpointKey),
    created: trigger.created_at,
    updated: trigger.updated_at,
    ...Object.fromEntries(annotations.map(([key, value]) => [`annotation ${key}`, JSON.stringify(value)])),
  });
}
