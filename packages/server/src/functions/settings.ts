import { allowedSetting, FunctionSettings, settingNames, settingsPrefix } from "@chaya/contract/annotations";
import type { Annotations } from "./annotations.ts";
import { recordInvalid } from "./record-invalid.ts";

/** The settings that a function's annotations `chaya/…` carry; what is absent has its default. Throws `fn-record-invalid`. */
export function readSettings(annotations: Annotations): FunctionSettings {
  const given = Object.fromEntries(
    Object.entries(annotations)
      .filter(([key]) => key.startsWith(settingsPrefix))
      .map(([key, value]) => [key.slice(settingsPrefix.length), value]),
  );
  const parsed = FunctionSettings().safeParse(given);
  if (!parsed.success) throw recordInvalid(explain(Object.keys(given), parsed.error.issues[0]?.path[0]));
  const settings = parsed.data;
  if (settings["min-instances"] > settings["max-instances"])
    throw recordInvalid("Invalid annotation chaya/min-instances, it must not be larger than chaya/max-instances");
  return settings;
}

/** Settings belong to functions: on other records they would silently do nothing. Throws `fn-record-invalid`. */
export function refuseSettings(annotations: Annotations): void {
  const key = Object.keys(annotations).find((candidate) => candidate.startsWith(settingsPrefix));
  if (key !== undefined)
    throw recordInvalid(`Invalid annotation ${key}, annotations ${settingsPrefix}… are settings of functions only`);
}

function explain(names: readonly string[], failed: PropertyKey | undefined): string {
  const unknown = names.find((name) => allowedSetting(name) === undefined);
  if (unknown === undefined)
    return `Invalid annotation ${settingsPrefix}${String(failed)}, it must be ${allowedSetting(String(failed))}`;
  const allowed = settingNames().map((name) => settingsPrefix + name);
  return `Unknown annotation ${settingsPrefix}${unknown}, allowed are ${allowed.join(", ")}`;
}
