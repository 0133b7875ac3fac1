import { limits } from "@chaya/contract";
import type { FnSpec } from "@chaya/contract/fn";
import { mergeAnnotations, newAnnotations } from "./annotations.ts";
import type { FunctionRecord } from "./model.ts";
import { isFunctionName, isNameTooLong } from "./names.ts";
import { mergeConfig, newConfig } from "./record-config.ts";
import { recordInvalid } from "./record-invalid.ts";
import { readSettings } from "./settings.ts";

/** What a caller decides about a function; its shape is that of its application. */
export type FunctionFields = Omit<FunctionRecord, "id" | "shape" | "tags" | "createdAtMs" | "updatedAtMs" | "version">;

/** The function that a POST asks for, judged in Fn's order; 0 means the default. Throws `fn-record-invalid`. */
export function newFunction(spec: FnSpec): FunctionFields {
  if (spec.id) throw recordInvalid("ID cannot be provided for Fn creation");
  const { app_id: applicationId = "", name = "", image = "" } = spec;
  if (applicationId === "") throw recordInvalid("Missing AppID on Fn");
  checkName(name);
  checkImage(image);
  const sizes = {
    timeoutS: spec.timeout || limits.functionTimeoutSDefault,
    idleTimeoutS: spec.idle_timeout || limits.functionIdleTimeoutSDefault,
    memoryMiB: spec.memory || limits.functionMemoryMiBDefault,
  };
  checkSizes(sizes);
  const annotations = newAnnotations(spec.annotations ?? {});
  const settings = readSettings(annotations);
  return { applicationId, name, image, ...sizes, config: newConfig(spec.config ?? {}), annotations, settings };
}

/** A PUT names the record twice when its body has an id. Throws `fn-record-invalid`. */
export function checkFunctionId(spec: FnSpec, id: string): void {
  if (spec.id && spec.id !== id) throw recordInvalid("Fn ID in path does not match that in body");
}

/** The function after a PUT. Name, application and shape never change, and 0 changes nothing. Throws `fn-record-invalid`. */
export function changeFunction<F extends FunctionRecord>(before: F, spec: FnSpec): F {
  const sizes = {
    timeoutS: spec.timeout || before.timeoutS,
    idleTimeoutS: spec.idle_timeout || before.idleTimeoutS,
    memoryMiB: spec.memory || before.memoryMiB,
  };
  checkSizes(sizes);
  const image = spec.image || before.image;
  checkImage(image);
  const annotations = mergeAnnotations(before.annotations, spec.annotations ?? {});
  const settings = readSettings(annotations);
  const config = mergeConfig(before.config, spec.config ?? {});
  return { ...before, image, ...sizes, config, annotations, settings };
}

function checkName(name: string): void {
  if (name === "") throw recordInvalid("Missing Fn name");
  if (isNameTooLong(name)) throw recordInvalid("Fn name must be 255 characters or less");
  if (!isFunctionName(name)) throw recordInvalid("name must be a valid string");
}

/** Its syntax is nobody's business here: what cannot be fetched fails when it is called. */
export function checkImage(image: string): void {
  if (image === "") throw recordInvalid("Missing image on Fn");
  if (image.includes("\0") || Buffer.byteLength(image) > limits.imageTextBytesMax)
    throw recordInvalid(
      `Invalid image on Fn, it may have at most ${limits.imageTextBytesMax} bytes and must not contain NUL`,
    );
}

/** Fn's messages begin at 0 although 0 means the default. */
function checkSizes(sizes: Pick<FunctionRecord, "timeoutS" | "idleTimeoutS" | "memoryMiB">): void {
  const { functionTimeoutSMax, functionIdleTimeoutSMax, functionMemoryMiBMax } = limits;
  if (sizes.timeoutS < 1 || sizes.timeoutS > functionTimeoutSMax)
    throw recordInvalid(`timeout value is out of range, must be between 0 and ${functionTimeoutSMax}`);
  if (sizes.idleTimeoutS < 1 || sizes.idleTimeoutS > functionIdleTimeoutSMax)
    throw recordInvalid(`idle_timeout value is out of range, must be between 0 and ${functionIdleTimeoutSMax}`);
  if (sizes.memoryMiB < 1 || sizes.memoryMiB > functionMemoryMiBMax)
    throw recordInvalid(`memory value is out of range. It should be between 0 and ${functionMemoryMiBMax}`);
}
