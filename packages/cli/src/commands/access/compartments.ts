import { usageError } from "../../cli-error.ts";
import { serverCommand } from "../../command.ts";
import { findCompartment, listCompartments, openTenancy, type PlacedCompartment } from "../../find-identity.ts";
import { fields, table } from "../../table.ts";
import { visibleText } from "../../visible-text.ts";

const COMPARTMENT = { summary: "Name, path (dev:team) or OCID of the compartment." } as const;
const description = { value: "TEXT", summary: "What the compartment is for." } as const;

export const compartmentCommands = [
  serverCommand({
    path: "access compartments list",
    summary: "List compartments.",
    flags: { tree: { summary: "Show which lies in which." } },
    run: async ({ client, print, flags }) => {
      const compartments = await listCompartments(await openTenancy(client));
      const rows = compartments.map((one) => [one.path, one.id, one.description]);
      print(compartments, () => (flags.tree ? treeText(compartments) : table(["PATH", "OCID", "DESCRIPTION"], rows)));
    },
  }),
  serverCommand({
    path: "access compartments get",
    summary: "Show a compartment.",
    arguments: { COMPARTMENT },
    run: async ({ client, print, arguments: words }) => {
      const found = await findCompartment(await openTenancy(client), words.COMPARTMENT);
      print(found, () => compartmentText(found));
    },
  }),
  serverCommand({
    path: "access compartments create",
    summary: "Create a compartment.",
    arguments: { COMPARTMENT: { summary: "Name of the new compartment." } },
    flags: { parent: { value: "COMPARTMENT", summary: "In which it is to lie (root)." }, description },
    examples: ["chaya access compartments create team --parent dev"],
    run: async ({ client, print, arguments: words, flags }) => {
      const parent = await findCompartment(await openTenancy(client), flags.parent);
      const body = { compartmentId: parent.id, name: words.COMPARTMENT, description: flags.description ?? "" };
      const made = await client.identity.createCompartment({ body });
      print(made, () => `Created the compartment ${made.name} in ${parent.path} (${made.id}).\n`);
    },
  }),
  serverCommand({
    path: "access compartments update",
    summary: "Change what is said of a compartment.",
    arguments: { COMPARTMENT },
    flags: { description },
    run: async ({ client, print, arguments: words, flags }) => {
      const found = await findCompartment(await openTenancy(client), words.COMPARTMENT);
      const body = { ...(flags.description !== undefined && { description: flags.description }) };
      const changed = await client.identity.updateCompartment({ compartmentId: found.id, body });
      print(changed, () => compartmentText({ ...found, description: changed.description }));
    },
  }),
  serverCommand({
    path: "access compartments rename",
    summary: "Give a compartment another name; statements of policies that name it have to follow.",
    arguments: { COMPARTMENT, NAME: { summary: "The new name." } },
    run: async ({ client, print, arguments: words }) => {
      const found = await findCompartment(await openTenancy(client), words.COMPARTMENT);
      const body = { name: words.NAME };
      const changed = await client.identity.updateCompartment({ compartmentId: found.id, body });
      print(changed, () => `Renamed ${found.path}: it is ${changed.name} now.\n`);
    },
  }),
  serverCommand({
    path: "access compartments move",
    summary: "Move a compartment with everything in it into another one.",
    arguments: { COMPARTMENT },
    flags: { to: { value: "COMPARTMENT", summary: "In which it is to lie." } },
    examples: ["chaya access compartments move dev:team --to ops"],
    run: async ({ client, print, arguments: words, flags }) => {
      if (flags.to === undefined) throw usageError("--to is missing.", "Example: --to root");
      const tenancy = await openTenancy(client);
      const found = await findCompartment(tenancy, words.COMPARTMENT);
      const target = await findCompartment(tenancy, flags.to);
      await client.identity.moveCompartment({ compartmentId: found.id, body: { targetCompartmentId: target.id } });
      print({ moved: found.id, to: target.id }, () => `Moved ${found.path} into ${target.path}.\n`);
    },
  }),
  serverCommand({
    path: "access compartments delete",
    summary: "Delete an empty compartment.",
    arguments: { COMPARTMENT },
    run: async ({ client, print, arguments: words }) => {
      const found = await findCompartment(await openTenancy(client), words.COMPARTMENT);
      await client.identity.deleteCompartment({ compartmentId: found.id });
      print({ deleted: found.id }, () => `Deleted the compartment ${found.path}.\n`);
    },
  }),
];

/** Each beneath the one it lies in: they come in that order. */
function treeText(compartments: readonly PlacedCompartment[]): string {
  const depth = (one: PlacedCompartment) => (one.parentId === undefined ? 0 : one.path.split(":").length);
  return compartments.map((one) => `${"  ".repeat(depth(one))}${visibleText(one.name)}\n`).join("");
}

function compartmentText({ name, path, id, description: about, timeCreated }: PlacedCompartment): string {
  return fields({ name, path, ocid: id, description: about, created: timeCreated || undefined });
}
