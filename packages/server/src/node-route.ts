import { chayaRoutes, type NodeView } from "@chaya/contract/chaya";
import { type ControlRoute, control } from "./http/control-route.ts";

/** What this node is and how it is set up. `read` is asked for each answer. */
export function nodeRoute(read: () => NodeView): ControlRoute {
  return control(chayaRoutes.getNode, async () => ({ result: read() }));
}
