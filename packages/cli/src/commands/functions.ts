import type { Client } from "@chaya/client";
import type { AppView, FnView } from "@chaya/contract/fn";
import { serverCommand } from "../command.ts";
import { allPages, endpointOf, findApp, findFn, invokeEndpointKey } from "../find-records.ts";
import { annotationValues, keyValues, wholeNumber } from "../key-values.ts";
import { fields, table } from "../table.ts";

const APP = { summary: "Name or id of the application." } as const;
const FN = { summary: "Name or id of the function." } as const;
const settings = {
  image: { value: "IMAGE", summary: "Image to run: bundle/… as deploy makes it, or a container image." },
  memory: { value: "MIB", summary: "Memory limit in MiB." },
  timeout: { value: "SECONDS", summary: "Limit of a call." },
  "idle-timeout": { value: "SECONDS", summary: "How long an instance waits for another call." },
  config: { value: "KEY=VALUE", isRepeated: true, summary: "Configuration; an empty value removes a key." },
  annotation: { value: "KEY=VALUE", isRepeated: true, summary: "Annotation; the value may be JSON." },
} as const;

export const functionCommands = [
  serverCommand({
    path: "functions list",
    summary: "List the functions of an application.",
    arguments: { APP },
    run: async ({ client, print, arguments: words }) => {
      const fns = await listFns(client, await findApp(client, words.APP));
      const rows = fns.map((fn) => [fn.name, fn.id, fn.image, fn.memory, fn.timeout]);
      print(fns, () => table(["NAME", "ID", "IMAGE", "MIB", "TIMEOUT"], rows));
    },
  }),
  serverCommand({
    path: "functions get",
    summary: "Show a function.",
    arguments: { APP, FN },
    run: async ({ client, print, arguments: words }) => {
      const fn = await findFn(client, await findApp(client, words.APP), words.FN);
      print(fn, () => fnText(fn));
    },
  }),
  serverCommand({
    path: "functions create",
    summary: "Create a function of an image. To deploy code use: chaya deploy",
    arguments: { APP, FN: { summary: "Name of the new function." } },
    flags: settings,
    examples: ["chaya functions create photos resize --image example/resize:1.0 --memory 256"],
    run: async ({ client, print, arguments: words, flags }) => {
      const app = await findApp(client, words.APP);
      const fn = await client.fn.createFn({ body: { name: words.FN, app_id: app.id, ...fnSpec(flags) } });
      print(fn, () => fnText(fn));
    },
  }),
  serverCommand({
    path: "functions update",
    summary: "Change a function's image, limits, configuration or annotations.",
    arguments: { APP, FN },
    flags: settings,
    examples: ["chaya functions update photos resize --annotation chaya/retries=3"],
    run: async ({ client, print, arguments: words, flags }) => {
      const { id } = await findFn(client, await findApp(client, words.APP), words.FN);
      const fn = await client.fn.updateFn({ fnId: id, body: fnSpec(flags) });
      print(fn, () => fnText(fn));
    },
  }),
  serverCommand({
    path: "functions delete",
    summary: "Delete a function with its triggers.",
    arguments: { APP, FN },
    run: async ({ client, print, arguments: words }) => {
      const fn = await findFn(client, await findApp(client, words.APP), words.FN);
      await client.fn.deleteFn({ fnId: fn.id });
      print({ deleted: fn.id }, () => `Deleted the function ${fn.name}.\n`);
    },
  }),
];

export function listFns(client: Client, app: AppView): Promise<FnView[]> {
  return allPages(async (cursor) => {
    const { items, next_cursor: next } = await client.fn.listFns({ app_id: app.id, per_page: "100", cursor });
    return { items, next };
  });
}

interface FnSettings {
  readonly image: string | undefined;
  readonly memory: string | undefined;
  readonly timeout: string | undefined;
  readonly "idle-timeout": string | undefined;
  readonly config: readonly string[];
  readonly annotation: readonly string[];
}

function fnSpec(flags: FnSettings) {
  return {
    image: flags.image,
    memory: wholeNumber(flags.memory, "--memory"),
    timeout: wholeNumber(flags.timeout, "--timeout"),
    idle_timeout: wholeNumber(flags["idle-timeout"], "--idle-timeout"),
    ...(flags.config.length > 0 && { config: keyValues(flags.config, "--config") }),
    ...(flags.annotation.length > 0 && { annotations: annotationValues(flags.annotation, "--annotation") }),
  };
}

function fnText(fn: FnView): string {
  const endpoint = endpointOf(fn, invokeEndpointKey);
  const annotations = Object.entries(fn.annotations ?? {}).filter(([key]) => key !== invokeEndpointKey);
  return fields({
    name: fn.name,
    id: fn.id,
    image: fn.image,
    memory: fn.memory === undefined ? undefined : `${fn.memory} MiB`,
    timeout: fn.timeout === undefined ? undefined : `${fn.timeout} s`,
    "idle timeout": fn.idle_timeout === undefined ? undefined : `${fn.idle_timeout} s`,
    endpoint,
    created: fn.created_at,
    updated: fn.updated_at,
    ...Object.fromEntries(Object.entries(fn.config).map(([key, value]) => [`config ${key}`, value])),
    ...Object.fromEntries(annotations.map(([key, value]) => [`annotation ${key}`, JSON.stringify(value)])),
  });
}
