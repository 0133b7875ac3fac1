import { chayaRoutes, type NodeView } from "@chaya/contract/chaya";
import type { Place } from "./http/authorize.ts";
import { type ControlRoute, control } from "./http/control-route.ts";

/** What this node is and how it is set up. `read` is asked for each answer. */
export function nodeRoute(root: Place, read: () => NodeView): ControlRoute {
  return control(
    chayaRoutes.getNode,
    () => root,
    async () => ({ result: read() }),
  );
}
