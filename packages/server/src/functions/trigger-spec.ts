import { limits } from "@chaya/contract";
import type { TriggerSpec } from "@chaya/contract/fn";
import { mergeAnnotations, newAnnotations } from "./annotations.ts";
import type { Trigger } from "./model.ts";
import { isNameTooLong, isPlainName } from "./names.ts";
import { recordInvalid } from "./record-invalid.ts";
import { refuseSettings } from "./settings.ts";

/** What a caller decides about a trigger. */
export type TriggerFields = Omit<Trigger, "id" | "createdAtMs" | "updatedAtMs" | "version">;

/** Go's zero time: its clients send it where they mean nothing. */
const zeroTimeMs = Date.parse("0001-01-01T00:00:00Z");

/** The trigger that a POST asks for, judged in Fn's order. Throws `fn-record-invalid`. */
export function newTrigger(spec: TriggerSpec): TriggerFields {
  if (spec.id) throw recordInvalid("ID cannot be provided for Trigger creation");
  if (isGiven(spec.created_at)) throw recordInvalid("Trigger Created At Provided for Create");
  // Fn's own text for this one is about the id.
  if (isGiven(spec.updated_at)) throw recordInvalid("Trigger ID Provided for Create");
  const { app_id: applicationId = "", name = "", fn_id: functionId = "", type = "", source = "" } = spec;
  if (applicationId === "") throw recordInvalid("Missing App ID on Trigger");
  checkName(name);
  if (functionId === "") throw recordInvalid("Missing Fn ID on Trigger");
  if (type !== "http") throw recordInvalid("Trigger Type Not Supported");
  checkSource(source);
  const annotations = newAnnotations(spec.annotations ?? {});
  refuseSettings(annotations);
  return { applicationId, functionId, name, type, source, annotations };
}

/** A PUT names the record twice when its body has an id. Throws `fn-record-invalid`. */
export function checkTriggerId(spec: TriggerSpec, id: string): void {
  if (spec.id && spec.id !== id) throw recordInvalid("ID in path does not match ID in body");
}

/** The trigger after a PUT; application and type never change. Throws `fn-record-invalid`. */
export function changeTrigger(before: Trigger, spec: TriggerSpec): Trigger {
  const name = spec.name || before.name;
  checkName(name);
  const source = spec.source || before.source;
  checkSource(source);
  const annotations = mergeAnnotations(before.annotations, spec.annotations ?? {});
  refuseSettings(annotations);
  return { ...before, name, functionId: spec.fn_id || before.functionId, source, annotations };
}

function checkName(name: string): void {
  if (name === "") throw recordInvalid("Missing name on Trigger");
  if (isNameTooLong(name)) throw recordInvalid("Trigger name must be 255 characters or less");
  if (!isPlainName(name)) throw recordInvalid("Invalid name for Trigger");
}

function checkSource(source: string): void {
  if (source === "") throw recordInvalid("Missing Trigger Source");
  if (!source.startsWith("/")) throw recordInvalid("Missing Trigger Source Prefix '/'");
  if (source.includes("\0") || Buffer.byteLength(source) > limits.triggerSourceBytesMax)
    throw recordInvalid(
      `Invalid Trigger Source, it may have at most ${limits.triggerSourceBytesMax} bytes and must not contain NUL`,
    );
}

function isGiven(timestamp: string | undefined): boolean {
  return timestamp !== undefined && Date.parse(timestamp) !== zeroTimeMs;
}
