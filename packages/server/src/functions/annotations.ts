import { limits } from "@chaya/contract";
import type { AnnotationValue } from "@chaya/contract/fn";
import { recordInvalid } from "./record-invalid.ts";

export type Annotations = Readonly<Record<string, AnnotationValue>>;

/** Made on reading, never stored: clients send back what they read. */
export const invokeEndpointKey = "fnproject.io/fn/invokeEndpoint";
export const httpEndpointKey = "fnproject.io/trigger/httpEndpoint";

/** The annotations of a new record. Throws `fn-record-invalid`; null and "" are no values. */
export function newAnnotations(given: Annotations): Annotations {
  const annotations = new Map(Object.entries(given));
  forgetEndpoints(annotations);
  return checked(annotations);
}

/** The annotations after a change: "" and null delete, everything else replaces. Throws `fn-record-invalid`. */
export function mergeAnnotations(before: Annotations, change: Annotations): Annotations {
  const annotations = new Map(Object.entries(before));
  for (const [key, value] of Object.entries(change)) {
    if (value === "" || value === null) annotations.delete(key);
    else annotations.set(key, value);
  }
  forgetEndpoints(annotations);
  return checked(annotations);
}

function forgetEndpoints(annotations: Map<string, AnnotationValue>): void {
  annotations.delete(invokeEndpointKey);
  annotations.delete(httpEndpointKey);
}

/** Keys are printable ASCII, so the order of code units is the order of bytes. */
function checked(annotations: ReadonlyMap<string, AnnotationValue>): Annotations {
  for (const [key, value] of annotations) checkAnnotation(key, value);
  if (annotations.size > limits.annotationsCountMax)
    throw recordInvalid(
      `Invalid annotation change, new key(s) exceed maximum permitted number of annotations keys (${limits.annotationsCountMax})`,
    );
  return Object.fromEntries([...annotations].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function checkAnnotation(key: string, value: AnnotationValue): void {
  if (!/^[!-~]+$/.test(key))
    throw recordInvalid("Invalid annotation key, annotation keys must be non-empty ascii strings excluding whitespace");
  if (key.length > limits.annotationKeyBytesMax)
    throw recordInvalid(
      `Invalid annotation key length, annotation keys may not be larger than ${limits.annotationKeyBytesMax} bytes`,
    );
  if (value === "" || value === null)
    throw recordInvalid(
      "Invalid annotation value, annotation values may only be non-empty strings, numbers, objects, or arrays",
    );
  if (Buffer.byteLength(JSON.stringify(value)) > limits.annotationValueBytesMax)
    throw recordInvalid(
      `Invalid annotation value length, annotation values may not be larger than ${limits.annotationValueBytesMax} bytes when serialized as JSON`,
    );
}
