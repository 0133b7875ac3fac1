import { serverCommand } from "../command.ts";
import { findApp, findFn } from "../find-records.ts";
import { table } from "../table.ts";

const words = {
  APP: { summary: "Name or id of the application." },
  FN: { summary: "Name or id of the function." },
} as const;

export const imageCommands = [
  serverCommand({
    path: "images",
    summary: "List the last images of a function, newest first.",
    arguments: words,
    run: async ({ client, print, arguments: { APP, FN } }) => {
      const fn = await findFn(client, await findApp(client, APP), FN);
      const { items } = await client.chaya.listImages({ fnId: fn.id });
      const rows = items.map((image) => [image.isCurrent ? "*" : "", image.image, image.bytes, image.createdAt]);
      print(items, () => table(["", "IMAGE", "BYTES", "CREATED"], rows));
    },
  }),
  serverCommand({
    path: "rollback",
    summary: "Make an earlier image the current one. Calls in flight stay on theirs.",
    arguments: words,
    flags: { to: { value: "IMAGE", summary: "One of: chaya images APP FN. The one before the current when absent." } },
    examples: ["chaya rollback photos resize"],
    run: async ({ client, print, arguments: { APP, FN }, flags }) => {
      const fn = await findFn(client, await findApp(client, APP), FN);
      const image = await client.chaya.rollback({
        fnId: fn.id,
        body: flags.to === undefined ? {} : { image: flags.to },
      });
      print(image, () => `${fn.name} now runs ${image.image}\n`);
    },
  }),
];
