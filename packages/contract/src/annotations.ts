import { z } from "zod";
import { limits } from "./limits.ts";
import { lazy } from "./route.ts";

/** Our settings on Fn's records: annotation `chaya/<kebab-name>`; in func.yaml the map `chaya:` with the same names. */
export const FunctionSettings = lazy(() =>
  z.strictObject({
    /** Repeats of a detached call after a failure of the function. */
    retries: z.int().min(0).max(limits.detachedRetriesMax).default(0),
    /** Calls one instance takes at once. */
    concurrency: z.int().min(1).max(limits.instanceConcurrencyMax).default(1),
    "min-instances": z.int().min(0).max(limits.instancesPerFunctionMax).default(0),
    "max-instances": z.int().min(1).max(limits.instancesPerFunctionMax).default(limits.instancesPerFunctionMax),
    /** Which inputs are kept for inspection. */
    capture: z.enum(["off", "failures", "all"]).default("failures"),
    /** Timeout of detached calls in seconds; the function's timeout when absent. */
    "detached-timeout": z.int().min(1).max(limits.detachedTimeoutSMax).optional(),
    network: z.enum(["none", "outbound"]).optional(),
    /** gateway: only calls that come through a gateway are admitted. */
    invoke: z.enum(["any", "gateway"]).default("any"),
  }),
);
export type FunctionSettings = z.output<ReturnType<typeof FunctionSettings>>;

export const settingsPrefix = "chaya/";

export function settingNames(): readonly string[] {
  return Object.keys(FunctionSettings().shape).sort();
}

/** What a setting may be, in words: `a whole number from 0 to 100`. Undefined when there is no setting of this name. */
export function allowedSetting(name: string): string | undefined {
  const properties = new Map(Object.entries(z.toJSONSchema(FunctionSettings(), { io: "input" }).properties ?? {}));
  const described = properties.get(name);
  if (typeof described !== "object") return undefined;
  const { enum: words, minimum, maximum } = described;
  return words === undefined ? `a whole number from ${minimum} to ${maximum}` : `one of ${words.join(", ")}`;
}
