import { usageError } from "./cli-error.ts";

/** `KEY=VALUE` words as a record; the value may hold further equal signs and be empty. */
export function keyValues(words: readonly string[], flag: string): Record<string, string> {
  return Object.fromEntries(words.map((word) => splitKeyValue(word, flag)));
}

/** Like `keyValues`, for annotations: a value that is JSON is taken as JSON, anything else as text. */
export function annotationValues(words: readonly string[], flag: string): Record<string, AnnotationInput> {
  return Object.fromEntries(
    words.map((word) => {
      const [key, value] = splitKeyValue(word, flag);
      return [key, jsonOrText(value)];
    }),
  );
}

type AnnotationInput = string | number | boolean | null | AnnotationInput[] | { [key: string]: AnnotationInput };

function splitKeyValue(word: string, flag: string): [string, string] {
  const equals = word.indexOf("=");
  if (equals < 1) throw usageError(`${flag}: '${word}' is not KEY=VALUE.`, "Example: GREETING=hello");
  return [word.slice(0, equals), word.slice(equals + 1)];
}

function jsonOrText(text: string): AnnotationInput {
  try {
    // JSON.parse gives exactly the values of this type.
    return JSON.parse(text) as AnnotationInput;
  } catch {
    return text;
  }
}

/** A flag's whole number. */
export function wholeNumber(text: string | undefined, flag: string): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw usageError(`${flag} '${text}' is not a whole number.`);
  return Number(text);
}
