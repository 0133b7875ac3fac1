import type { ControlRoute } from "../../http/control-route.ts";
import { ociApplicationRoutes } from "./applications.ts";
import type { OciDeps } from "./border.ts";
import { ociFunctionRoutes } from "./functions.ts";
import { preBuiltFunctionRoutes } from "./pre-built-functions.ts";

/** OCI Functions over the records of the Fn API: what one makes, the other shows. */
export function ociRoutes(deps: OciDeps): readonly ControlRoute[] {
  return [...ociApplicationRoutes(deps), ...ociFunctionRoutes(deps), ...preBuiltFunctionRoutes()];
}
