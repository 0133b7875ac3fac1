import { readFile, stat } from "node:fs/promises";
import { basename } from "node:path";
import { type Document, isMap, isScalar, isSeq, parseDocument, type YAMLMap } from "yaml";
import { CliError } from "../cli-error.ts";
import { nearest } from "../nearest.ts";

const fileBytesMax = 256 * 1024;
/** Enough for a file written by a person; each alias may expand to a whole part of the file. */
const aliasesMax = 50;
const depthMax = 32;

/** A YAML 1.2 file (so JSON as well) that is one map. What it may not be is an error that names file and place. */
export interface YamlFile {
  readonly name: string;
  readonly map: YAMLMap;
  readonly document: Document;
}

export async function readYamlFile(path: string): Promise<YamlFile> {
  const { size } = await stat(path);
  if (size > fileBytesMax) throw fileError(basename(path), `it has ${size} bytes; at most ${fileBytesMax} are read`);
  return parseYamlFile(basename(path), await readFile(path, "utf8"));
}

export function parseYamlFile(name: string, text: string): YamlFile {
  const document = parseDocument(text, { version: "1.2", uniqueKeys: true, prettyErrors: true, strict: true });
  const [error] = document.errors;
  if (error !== undefined) throw fileError(name, error.message.split("\n")[0]?.replace(/:$/, "") ?? "unreadable");
  if (!isMap(document.contents)) throw fileError(name, "it must be a map of keys and values");
  try {
    // Expands the aliases under their limit, and shows how deep it is, before anything reads the values.
    checkDepth(name, document.toJS({ maxAliasCount: aliasesMax }), depthMax);
  } catch (cause) {
    if (cause instanceof CliError) throw cause;
    throw fileError(name, cause instanceof Error ? cause.message : String(cause));
  }
  return { name, map: document.contents, document };
}

export function fileError(name: string, why: string): CliError {
  return new CliError({ what: `${name} cannot be used: ${why}.`, hint: `Correct ${name} and try again.` });
}

/** Names every key that is not known, with the nearest known one. */
export function unknownKeys(file: YamlFile, known: readonly string[]): string[] {
  return mapEntries(file.map)
    .map(([key]) => key)
    .filter((key) => !known.includes(key))
    .map((key) => {
      const guess = nearest(key, known);
      return `${file.name}: the key '${key}' is not known${guess === undefined ? "" : `; did you mean '${guess}'?`}`;
    });
}

/** Text; numbers and booleans as they are written (`1.10`, `yes`), as Fn reads them. */
export function readText(file: YamlFile, key: string): string | undefined {
  return scalarText(file, key, nodeAt(file.map, key));
}

export function readWholeNumber(file: YamlFile, key: string): number | undefined {
  const value = toJs(file, nodeAt(file.map, key));
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw fileError(file.name, `${key} must be a whole number`);
  }
  return value;
}

export function readBoolean(file: YamlFile, key: string): boolean | undefined {
  const value = toJs(file, nodeAt(file.map, key));
  if (value === undefined || typeof value === "boolean") return value;
  throw fileError(file.name, `${key} must be true or false`);
}

/** A map of texts, such as config. A key without a value has the empty text. */
export function readTexts(file: YamlFile, key: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    entriesBelow(file, key).map(([name, value]) => [name, scalarText(file, `${key}.${name}`, value) ?? ""]),
  );
}

/** A map of any values. */
export function readValues(file: YamlFile, key: string): Readonly<Record<string, unknown>> {
  return Object.fromEntries(entriesBelow(file, key).map(([name, value]) => [name, toJs(file, value)]));
}

/** A list of any values, or nothing. */
export function readList(file: YamlFile, key: string): readonly unknown[] {
  const value = toJs(file, nodeAt(file.map, key));
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value;
  throw fileError(file.name, `${key} must be a list`);
}

export function isList(file: YamlFile, key: string): boolean {
  return isSeq(resolved(file, nodeAt(file.map, key)));
}

function entriesBelow(file: YamlFile, key: string): [string, unknown][] {
  const value = resolved(file, nodeAt(file.map, key));
  if (value === undefined || (isScalar(value) && value.value === null)) return [];
  if (!isMap(value)) throw fileError(file.name, `${key} must be a map of keys and values`);
  return mapEntries(value);
}

function mapEntries(map: YAMLMap): [string, unknown][] {
  return map.items.map((pair) => {
    const name = isScalar(pair.key) ? (pair.key.source ?? String(pair.key.value)) : String(pair.key);
    return [name, pair.value];
  });
}

function nodeAt(map: YAMLMap, key: string): unknown {
  return map.get(key, true);
}

/** What an alias stands for. */
function resolved(file: YamlFile, value: unknown): unknown {
  return typeof value === "object" && value !== null && "resolve" in value && typeof value.resolve === "function"
    ? value.resolve(file.document)
    : value;
}

function toJs(file: YamlFile, value: unknown): unknown {
  const found = resolved(file, value);
  if (typeof found !== "object" || found === null || !("toJS" in found) || typeof found.toJS !== "function")
    return undefined;
  return found.toJS(file.document, { maxAliasCount: aliasesMax });
}

function scalarText(file: YamlFile, place: string, value: unknown): string | undefined {
  const found = resolved(file, value);
  if (found === undefined || found === null) return undefined;
  if (!isScalar(found)) throw fileError(file.name, `${place} must be one value, not a list or map`);
  if (found.value === null) return undefined;
  return typeof found.value === "string" ? found.value : (found.source ?? String(found.value));
}

function checkDepth(name: string, value: unknown, depthLeft: number): void {
  if (typeof value !== "object" || value === null) return;
  if (depthLeft === 0) throw fileError(name, `it is nested deeper than ${depthMax} levels`);
  for (const part of Object.values(value)) checkDepth(name, part, depthLeft - 1);
}
