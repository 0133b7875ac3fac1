import { Problem } from "@chaya/contract";
import type { AppSpec } from "@chaya/contract/fn";
import { mergeAnnotations, newAnnotations } from "./annotations.ts";
import type { Application } from "./model.ts";
import { isNameTooLong, isPlainName } from "./names.ts";
import { mergeConfig, newConfig } from "./record-config.ts";
import { recordInvalid } from "./record-invalid.ts";
import { refuseSettings } from "./settings.ts";
import { checkSyslogUrl } from "./syslog-url.ts";

/** What a caller decides about an application. */
export type ApplicationFields = Pick<Application, "name" | "config" | "annotations" | "syslogUrl" | "shape">;

const shapes = ["", "GENERIC_X86", "GENERIC_ARM", "GENERIC_X86_ARM"];

/** The application that a POST asks for, judged in Fn's order. Throws `fn-record-invalid`. */
export function newApplication(spec: AppSpec): ApplicationFields {
  if (spec.id) throw recordInvalid("App ID cannot be supplied on create");
  const { name = "", shape = "", syslog_url: syslogUrl = "" } = spec;
  checkName(name);
  const annotations = newAnnotations(spec.annotations ?? {});
  refuseSettings(annotations);
  if (syslogUrl !== "") checkSyslogUrl(syslogUrl);
  if (!shapes.includes(shape)) throw recordInvalid("Invalid app shape");
  return { name, config: newConfig(spec.config ?? {}), annotations, syslogUrl, shape };
}

/** A PUT names the record twice when its body has an id. Throws `fn-record-invalid`. */
export function checkApplicationId(spec: AppSpec, id: string): void {
  if (spec.id && spec.id !== id) throw recordInvalid("App ID in path does not match ID in body");
}

/** The application after a PUT; its shape never changes. Throws `name-immutable`, `fn-record-invalid`. */
export function changeApplication<A extends Application>(before: A, spec: AppSpec): A {
  if (spec.name && spec.name !== before.name) throw new Problem("name-immutable");
  const annotations = mergeAnnotations(before.annotations, spec.annotations ?? {});
  refuseSettings(annotations);
  const syslogUrl = spec.syslog_url ?? before.syslogUrl;
  if (syslogUrl !== "") checkSyslogUrl(syslogUrl);
  return { ...before, config: mergeConfig(before.config, spec.config ?? {}), annotations, syslogUrl };
}

function checkName(name: string): void {
  if (name === "") throw recordInvalid("Missing Name");
  if (isNameTooLong(name)) throw recordInvalid("App name must be 255 characters or less");
  if (!isPlainName(name)) throw recordInvalid("Invalid app name");
}
