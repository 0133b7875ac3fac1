import type { InstanceSpec, RuntimeAbilities } from "../../drivers/runtime/driver.ts";
import type { FunctionRecord } from "../model.ts";

/** As the function says; else none where a runtime gives each instance a network of its own. */
export function networkOf(fn: FunctionRecord, abilities: RuntimeAbilities): InstanceSpec["network"] {
  return fn.settings.network ?? (abilities.isolatesNetwork ? "none" : "outbound");
}
