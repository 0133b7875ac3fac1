import type { Client } from "@chaya/client";
import { idOf, parseOcid } from "@chaya/contract/oci";
import type { CompartmentView, DynamicGroupView, GroupView, PolicyView, UserView } from "@chaya/contract/oci/identity";
import { CliError } from "./cli-error.ts";
import { nearest } from "./nearest.ts";

/** The tenancy of a server, in which its identity is looked up. */
export interface Tenancy {
  readonly client: Client;
  /** OCID; that of the root compartment too. */
  readonly id: string;
  readonly region: string;
}

export async function openTenancy(client: Client): Promise<Tenancy> {
  const { tenancy, region } = await client.chaya.getNode();
  return { client, id: tenancy, region };
}

/** Throws CliError naming the nearest one. */
export async function findUser({ client, id }: Tenancy, nameOrId: string): Promise<UserView> {
  const [named] = await client.identity.listUsers({ compartmentId: id, name: nameOrId });
  return named ?? pick(await client.identity.listUsers({ compartmentId: id }), { type: "user", text: nameOrId });
}

/** Throws CliError naming the nearest one. */
export async function findGroup({ client, id }: Tenancy, nameOrId: string): Promise<GroupView> {
  return pick(await client.identity.listGroups({ compartmentId: id }), { type: "group", text: nameOrId });
}

/** Throws CliError naming the nearest one. */
export async function findDynamicGroup({ client, id }: Tenancy, nameOrId: string): Promise<DynamicGroupView> {
  return pick(await client.identity.listDynamicGroups({ compartmentId: id }), { type: "dynamicgroup", text: nameOrId });
}

/** A name is one of the policies attached to `compartmentId`. Throws CliError naming the nearest one. */
export async function findPolicy({ client }: Tenancy, compartmentId: string, nameOrId: string): Promise<PolicyView> {
  if (parseOcid(nameOrId)?.type === "policy") return await client.identity.getPolicy({ policyId: nameOrId });
  return pick(await client.identity.listPolicies({ compartmentId }), { type: "policy", text: nameOrId });
}

const nouns = {
  user: ["user", "users"],
  group: ["group", "groups"],
  dynamicgroup: ["dynamic group", "dynamic-groups"],
  policy: ["policy", "policies"],
} as const;

function pick<T extends { readonly id: string; readonly name: string }>(
  known: readonly T[],
  { type, text }: { readonly type: keyof typeof nouns; readonly text: string },
): T {
  const [noun, plural] = nouns[type];
  const id = idOf(type, text);
  const found = known.find(({ name }) => name === text) ?? known.find((one) => idOf(type, one.id) === id);
  if (found !== undefined) return found;
  const names = known.map(({ name }) => name);
  throw notFound(`There is no ${noun} '${text}'.`, {
    guess: nearest(text, names),
    list: `chaya access ${plural} list`,
  });
}

function notFound(what: string, { guess, list }: { readonly guess: string | undefined; readonly list: string }) {
  return new CliError({ what, hint: guess === undefined ? `List them with: ${list}` : `Did you mean '${guess}'?` });
}

/** A compartment with the names that lead to it from the root, as policies write them: `dev:team`. */
export interface PlacedCompartment extends Pick<CompartmentView, "id" | "name" | "description" | "timeCreated"> {
  readonly path: string;
  /** OCID; undefined for the root. */
  readonly parentId: string | undefined;
}

/** All that may be seen, the root first, each before what lies in it, by name. */
export async function listCompartments({ client, id }: Tenancy): Promise<readonly PlacedCompartment[]> {
  const listed = await client.identity.listCompartments({ compartmentId: id, compartmentIdInSubtree: "true" });
  const root = {
    id,
    name: "root",
    description: "The tenancy itself.",
    timeCreated: "",
    path: "root",
    parentId: undefined,
  };
  const placed = (parent: PlacedCompartment): PlacedCompartment[] =>
    listed
      .filter(({ compartmentId }) => compartmentId === parent.id)
      .flatMap((one) => {
        const path = parent.parentId === undefined ? one.name : `${parent.path}:${one.name}`;
        const { id: own, name, description, timeCreated } = one;
        const child = { id: own, name, description, timeCreated, path, parentId: parent.id };
        return [child, ...placed(child)];
      });
  return [root, ...placed(root)];
}

/** `root`, an OCID, an id, a path such as `dev:team`, or a name that only one has. Throws CliError naming the nearest. */
export async function findCompartment(tenancy: Tenancy, text: string | undefined): Promise<PlacedCompartment> {
  const known = await listCompartments(tenancy);
  const id = text && (idOf("compartment", text) ?? idOf("tenancy", text));
  const exact = known.find((one) => one.path === (text ?? "root") || recordId(one.id) === id);
  if (exact !== undefined) return exact;
  const named = known.filter(({ name }) => name === text);
  const [only] = named;
  if (only !== undefined && named.length === 1) return only;
  if (only !== undefined) {
    const what = `There are ${named.length} compartments '${text}'.`;
    throw new CliError({ what, hint: `Say which: ${named.map(({ path }) => path).join(", ")}` });
  }
  const guess = nearest(text ?? "", [...known.map(({ path }) => path), ...known.map(({ name }) => name)]);
  throw notFound(`There is no compartment '${text}'.`, { guess, list: "chaya access compartments list --tree" });
}

function recordId(ocid: string): string | undefined {
  return parseOcid(ocid)?.id;
}
