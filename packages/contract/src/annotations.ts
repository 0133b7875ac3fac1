import { z } from "zod";
import { limits } from "./limits.ts";
import { lazy } from "./route.ts";

/** Our settings on Fn's records: annotation `chaya/<kebab-name>`; in func.yaml the map `chaya:` with the same names. */
export const FunctionSettings = lazy(() =>
  z.strictObject({
    retries: z
      .int()
      .min(0)
      .max(limits.detachedRetriesMax)
      .default(0)
      .describe("Repeats of a detached call after a failure of the function."),
    concurrency: z
      .int()
      .min(1)
      .max(limits.instanceConcurrencyMax)
      .default(1)
      .describe("Calls one instance takes at once."),
    "min-instances": z
      .int()
      .min(0)
      .max(limits.instancesPerFunctionMax)
      .default(0)
      .describe("Instances that are kept ready although nobody calls."),
    "max-instances": z
      .int()
      .min(1)
      .max(limits.instancesPerFunctionMax)
      .default(limits.instancesPerFunctionMax)
      .describe("Instances there may be at once, over all nodes."),
    capture: z.enum(["off", "failures", "all"]).default("failures").describe("Which inputs are kept for inspection."),
    "detached-timeout": z
      .int()
      .min(1)
      .max(limits.detachedTimeoutSMax)
      .optional()
      .describe("Timeout of detached calls in seconds; that of the function when absent."),
    network: z
      .enum(["none", "outbound"])
      .optional()
      .describe(
        "What an instance reaches beside its own door: `none` is nothing, `outbound` what the server's machine reaches. When absent, `none` where instances have a network of their own (a sandbox), else `outbound`. Where they share the machine's, `none` changes nothing.",
      ),
    invoke: z
      .enum(["any", "gateway"])
      .default("any")
      .describe("`gateway`: only calls that come through a gateway are admitted."),
  }),
);
export type FunctionSettings = z.output<ReturnType<typeof FunctionSettings>>;

export const settingsPrefix = "chaya/";

export function settingNames(): readonly string[] {
  return Object.keys(FunctionSettings().shape).sort();
}

/** What a setting is for, in words, and its default where there is one; undefined when there is no setting of this name. */
export function describedSetting(name: string): { readonly text: string; readonly byDefault: unknown } | undefined {
  const property = settingSchema(name);
  return property && { text: property.description ?? "", byDefault: property.default };
}

/** What a setting may be, in words: `a whole number from 0 to 100`. Undefined when there is no setting of this name. */
export function allowedSetting(name: string): string | undefined {
  const described = settingSchema(name);
  if (described === undefined) return undefined;
  const { enum: words, minimum, maximum } = described;
  return words === undefined ? `a whole number from ${minimum} to ${maximum}` : `one of ${words.join(", ")}`;
}

function settingSchema(name: string) {
  const properties = new Map(Object.entries(z.toJSONSchema(FunctionSettings(), { io: "input" }).properties ?? {}));
  const described = properties.get(name);
  return typeof described === "object" ? described : undefined;
}
