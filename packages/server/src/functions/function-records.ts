import type { AnyRoute } from "@chaya/contract";
import { chayaRoutes } from "@chaya/contract/chaya";
import type { ControlRoute } from "../http/control-route.ts";
import type { ServeExchange } from "../http/exchange.ts";
import { ArchiveThreads } from "../kernel/archive/index.ts";
import type { ResolveFunctions } from "../seams.ts";
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

export interface FunctionRecordsDeps extends HandlerDeps, CollectorDeps {
  readonly deadLetters: DeadLetters;
}

export interface FunctionRecords extends AsyncDisposable {
  readonly routes: readonly ControlRoute[];
  readonly streams: readonly { readonly route: AnyRoute; readonly serve: ServeExchange }[];
  readonly directory: Directory;
  readonly resolve: ResolveFunctions;
  /** The stored code bundle of this sha256; undefined when there is none. */
  readonly openBundle: (digest: string) => Promise<OpenBundle | undefined>;
}

/** Applications, functions, triggers, images and bundles. The changes feed must have been started. */
export async function createFunctionRecords(deps: FunctionRecordsDeps): Promise<FunctionRecords> {
  const directory = await createDirectory(deps);
  const collector = new BundleCollector(deps);
  const threads = new ArchiveThreads(deps.clock);
  return {
    routes: [
      ...applicationRoutes(deps),
      ...functionRoutes(deps),
      ...triggerRoutes(deps),
      ...imageRoutes(deps),
      ...deadLetterRoutes({ ...deps, directory }),
    ],
    streams: [{ route: chayaRoutes.createBundle, serve: createBundles({ ...deps, threads }) }],
    directory,
    resolve: directory.resolve,
    openBundle: (digest) => openBundle(deps, digest),
    [Symbol.asyncDispose]: async () => {
      directory[Symbol.dispose]();
      await threads[Symbol.asyncDispose]();
      await collector[Symbol.asyncDispose]();
    },
  };
}
