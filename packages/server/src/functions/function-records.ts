import type { Audit } from "../http/audit.ts";
import type { Authorize } from "../http/authorize.ts";
import type { ControlRoute } from "../http/control-route.ts";
import type { ServedRoute } from "../http/exchange.ts";
import { ArchiveThreads } from "../kernel/archive/index.ts";
import type { HasCompartment, Places, ResolveFunctions } from "../seams.ts";
import type { DeadLetters } from "../work/work.ts";
import { BundleCollector, type CollectorDeps } from "./bundle-collector.ts";
import { createBundles, type OpenBundle, openBundle } from "./bundles.ts";
import { createDirectory } from "./directory.ts";
import { applicationRoutes } from "./handlers/applications.ts";
import { deadLetterRoutes } from "./handlers/dead-letters.ts";
import { functionRoutes } from "./handlers/functions.ts";
import type { HandlerDeps } from "./handlers/handler-deps.ts";
import { imageRoutes } from "./handlers/images.ts";
import { triggerRoutes } from "./handlers/triggers.ts";
import type { Directory } from "./model.ts";
import { ociRoutes } from "./oci/oci-routes.ts";
import { createPlaces } from "./places.ts";

export interface FunctionRecordsDeps extends Omit<HandlerDeps, "places">, CollectorDeps {
  readonly region: string;
  readonly authorize: Authorize;
  readonly audit: Audit;
  readonly deadLetters: DeadLetters;
  /** Where it is absent, there is the root compartment alone. */
  readonly hasCompartment?: HasCompartment;
}

export interface FunctionRecords extends AsyncDisposable {
  readonly routes: readonly ControlRoute[];
  readonly streams: readonly ServedRoute[];
  readonly directory: Directory;
  readonly resolve: ResolveFunctions;
  readonly places: Places;
  /** The stored code bundle of this sha256; undefined when there is none. */
  readonly openBundle: (digest: string) => Promise<OpenBundle | undefined>;
}

/** Applications, functions, triggers, images and bundles. The changes feed must have been started. */
export async function createFunctionRecords(deps: FunctionRecordsDeps): Promise<FunctionRecords> {
  const directory = await createDirectory(deps);
  const collector = new BundleCollector(deps);
  const threads = new ArchiveThreads(deps.clock);
  const places = createPlaces({ directory, rootCompartmentId: deps.compartmentId, region: deps.region });
  const handled = { ...deps, places };
  const { hasCompartment = (id) => id === deps.compartmentId } = deps;
  return {
    routes: [
      ...applicationRoutes(handled),
      ...functionRoutes(handled),
      ...triggerRoutes(handled),
      ...imageRoutes(handled),
      ...deadLetterRoutes({ ...handled, directory }),
      ...ociRoutes({ ...handled, hasCompartment }),
    ],
    streams: [createBundles({ ...handled, threads })],
    directory,
    resolve: directory.resolve,
    places,
    openBundle: (digest) => openBundle(deps, digest),
    [Symbol.asyncDispose]: async () => {
      directory[Symbol.dispose]();
      await threads[Symbol.asyncDispose]();
      await collector[Symbol.asyncDispose]();
    },
  };
}
