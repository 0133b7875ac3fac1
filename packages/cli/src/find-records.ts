import type { Client } from "@chaya/client";
import { Problem } from "@chaya/contract";
import type { AppView, FnView, TriggerView } from "@chaya/contract/fn";

/** Fn's records are found by name through their lists; ids are taken as well. */
export async function findApp(client: Client, nameOrId: string, signal?: AbortSignal): Promise<AppView> {
  const app = await appNamed(client, nameOrId, signal);
  if (app !== undefined) return app;
  if (isId(nameOrId)) return await client.fn.getApp({ appId: nameOrId }, signal);
  throw new Problem("application-not-found", { application: nameOrId });
}

export async function appNamed(client: Client, name: string, signal?: AbortSignal): Promise<AppView | undefined> {
  const { items } = await client.fn.listApps({ name }, signal);
  return items.find((app) => app.name === name);
}

export async function findFn(client: Client, app: AppView, nameOrId: string): Promise<FnView> {
  const fn = await fnNamed(client, app, nameOrId);
  if (fn !== undefined) return fn;
  if (isId(nameOrId)) {
    const byId = await client.fn.getFn({ fnId: nameOrId });
    if (byId.app_id === app.id) return byId;
  }
  throw new Problem("function-not-found", { function: nameOrId });
}

export async function fnNamed(client: Client, app: AppView, name: string): Promise<FnView | undefined> {
  const { items } = await client.fn.listFns({ app_id: app.id, name });
  return items.find((fn) => fn.name === name);
}

export async function triggerNamed(client: Client, fn: FnView, name: string): Promise<TriggerView | undefined> {
  const { items } = await client.fn.listTriggers({ app_id: fn.app_id, fn_id: fn.id, name });
  return items.find((trigger) => trigger.name === name);
}

export async function findTrigger(client: Client, fn: FnView, nameOrId: string): Promise<TriggerView> {
  const trigger = await triggerNamed(client, fn, nameOrId);
  if (trigger !== undefined) return trigger;
  throw new Problem("trigger-not-found", { trigger: nameOrId });
}

/** Everything a paged list has: asks on until the server names no further page. */
export async function allPages<T>(
  page: (cursor: string | undefined) => Promise<{ readonly items: readonly T[]; readonly next: string | undefined }>,
): Promise<T[]> {
  const all: T[] = [];
  let cursor: string | undefined;
  do {
    const { items, next } = await page(cursor);
    all.push(...items);
    // A server that repeats a cursor would keep us here for ever.
    cursor = next === cursor ? undefined : next;
  } while (cursor !== undefined);
  return all;
}

/** The endpoints a server puts on what it lists. */
export const invokeEndpointKey = "fnproject.io/fn/invokeEndpoint";
export const triggerEndpointKey = "fnproject.io/trigger/httpEndpoint";

export function endpointOf(
  record: { readonly annotations?: Readonly<Record<string, unknown>> | undefined },
  key: string,
): string | undefined {
  const value = record.annotations?.[key];
  return typeof value === "string" ? value : undefined;
}

function isId(text: string): boolean {
  return /^[0-9A-HJKMNP-TV-Z]{26}$/.test(text);
}
