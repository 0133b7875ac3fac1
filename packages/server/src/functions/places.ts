import { ocidOf } from "@chaya/contract/oci";
import type { Place } from "../http/authorize.ts";
import type { Places } from "../seams.ts";
import type { OpenDirectory } from "./directory.ts";
import type { Application } from "./model.ts";

export interface PlacesOptions {
  readonly directory: OpenDirectory;
  readonly rootCompartmentId: string;
  readonly region: string;
}

/** Where applications, functions and triggers lie, from memory. */
export function createPlaces({ directory, rootCompartmentId, region }: PlacesOptions): Places {
  const root: Place = { compartmentId: rootCompartmentId };
  const ofApplication = ({ id, name, compartmentId }: Application) => ({
    compartmentId,
    target: { "app.id": ocidOf("fnapp", id, region), "app.name": name },
  });
  const application = (idOrName: string): Place => {
    const found = directory.resolve.application(idOrName);
    const known = found && directory.application(found.id);
    return known === undefined ? root : ofApplication(known);
  };
  const fn = (idOrName: string, applicationIdOrName?: string): Place => {
    const owner = applicationIdOrName === undefined ? undefined : directory.resolve.application(applicationIdOrName);
    if (applicationIdOrName !== undefined && owner === undefined) return root;
    const found = directory.resolve.function(idOrName, owner?.id);
    // A name that an application does not have is asked for in that application.
    if (found === undefined) return owner === undefined ? root : application(owner.id);
    const place = application(found.applicationId);
    const own = { "function.id": ocidOf("fnfunc", found.id, region), "function.name": found.name };
    return { ...place, target: { ...place.target, ...own } };
  };
  return {
    root,
    application,
    function: fn,
    filter: (query) => {
      if (query.fn !== undefined) return fn(query.fn, query.app);
      return query.app === undefined ? "anywhere" : application(query.app);
    },
    trigger: (id) => {
      const functionId = directory.trigger(id)?.functionId;
      return functionId === undefined ? root : fn(functionId);
    },
  };
}
