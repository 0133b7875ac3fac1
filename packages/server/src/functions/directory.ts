import type { Logger } from "../kernel/logger.ts";
import type { ResolveFunctions } from "../seams.ts";
import { type Change, resetKind } from "../work/changes.ts";
import { DirectoryShelf } from "./directory-shelf.ts";
import type { Directory, DirectoryChange, Trigger } from "./model.ts";
import { readApplication, readApplications } from "./records/applications.ts";
import type { RecordDeps } from "./records/commit.ts";
import { readFunction, readFunctions } from "./records/functions.ts";
import { readTrigger, readTriggers } from "./records/triggers.ts";

export type DirectoryDeps = Pick<RecordDeps, "store" | "changes"> & { readonly logger: Logger };

export interface OpenDirectory extends Directory, Disposable {
  readonly resolve: ResolveFunctions;
  trigger(id: string): Trigger | undefined;
}

/**
 * Loads every record and follows the feed, which has been started before: what is committed between the start of the
 * feed and the end of the load is read again afterwards, so nothing is missed. Each change names a record; the record
 * is read as it is now, so following twice, or late, ends the same.
 */
export async function createDirectory(deps: DirectoryDeps): Promise<OpenDirectory> {
  let shelf = new DirectoryShelf();
  const listeners = new Set<(change: DirectoryChange) => void>();
  const loaded = Promise.withResolvers<void>();
  const following = deps.changes.onChange(async (change) => {
    await loaded.promise;
    const before = shelf;
    if (change.kind === resetKind) shelf = await loadShelf(deps);
    const shown = shelf === before ? await follow(deps, shelf, change) : everything(before, shelf);
    for (const one of shown) for (const listener of listeners) listener(one);
  });
  try {
    shelf = await loadShelf(deps);
  } catch (error) {
    following[Symbol.dispose]();
    throw error;
  } finally {
    loaded.resolve();
  }
  return {
    application: (id) => shelf.applications.get(id),
    applicationNamed: (name) => shelf.applicationsByName.get(name),
    function: (id) => shelf.functions.get(id),
    functionNamed: (applicationId, name) => shelf.functionsByName.get(applicationId)?.get(name),
    trigger: (id) => shelf.triggers.get(id),
    triggerAt: (applicationId, source) => shelf.triggersBySource.get(applicationId)?.get(source),
    functions: () => shelf.functions.values(),
    onChange: (listener) => {
      // A listener may be given twice; each registration ends by itself.
      const registered = (change: DirectoryChange) => listener(change);
      listeners.add(registered);
      return { [Symbol.dispose]: () => void listeners.delete(registered) };
    },
    resolve: {
      application: (idOrName) => shelf.findApplication(idOrName),
      function: (idOrName, applicationId) => shelf.findFunction(idOrName, applicationId),
    },
    [Symbol.dispose]: () => following[Symbol.dispose](),
  };
}

async function loadShelf(deps: DirectoryDeps): Promise<DirectoryShelf> {
  const shelf = new DirectoryShelf();
  for (const application of await readApplications(deps)) shelf.putApplication(application);
  for (const record of await readFunctions(deps)) shelf.putFunction(record);
  for (const trigger of await readTriggers(deps)) shelf.putTrigger(trigger);
  const { applications, functions, triggers } = shelf;
  deps.logger.info("directory loaded", {
    applications: applications.size,
    functions: functions.size,
    triggers: triggers.size,
  });
  return shelf;
}

/** After changes were missed: each record of before and after may be another one, and so may the secrets. */
function everything(before: DirectoryShelf, after: DirectoryShelf): readonly DirectoryChange[] {
  const idsOf = (kind: "applications" | "functions" | "triggers") => [
    ...new Set([...before[kind].keys(), ...after[kind].keys()]),
  ];
  return [
    ...idsOf("triggers").map((id) => ({ kind: "trigger", id }) as const),
    ...idsOf("functions").map((id) => ({ kind: "function", id }) as const),
    ...idsOf("applications").flatMap((id) => [{ kind: "application", id } as const, { kind: "secret", id } as const]),
  ];
}

/** Reads what the change names and shows it; what went with a deleted record is gone before it is. */
async function follow(deps: DirectoryDeps, shelf: DirectoryShelf, change: Change): Promise<readonly DirectoryChange[]> {
  const { kind, id } = change;
  switch (kind) {
    case "application": {
      const application = await readApplication(deps, id);
      if (application === undefined) return shelf.removeApplication(id);
      shelf.putApplication(application);
      return [{ kind, id }];
    }
    case "function": {
      const record = await readFunction(deps, id);
      if (record === undefined) return shelf.removeFunction(id);
      shelf.putFunction(record);
      return [{ kind, id }];
    }
    case "trigger": {
      const trigger = await readTrigger(deps, id);
      if (trigger === undefined) return shelf.removeTrigger(id);
      shelf.putTrigger(trigger);
      return [{ kind, id }];
    }
    case "secret":
      return [{ kind, id }];
    default:
      return [];
  }
}
