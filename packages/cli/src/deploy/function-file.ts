import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { allowedSetting, FunctionSettings, settingNames, settingsPrefix } from "@chaya/contract/annotations";
import { CliError } from "../cli-error.ts";
import { nearest } from "../nearest.ts";
import { type FunctionRuntime, functionRuntime, runtimeNames } from "./function-runtime.ts";
import {
  fileError,
  isList,
  readBoolean,
  readList,
  readText,
  readTexts,
  readValues,
  readWholeNumber,
  readYamlFile,
  unknownKeys,
  type YamlFile,
} from "./yaml-file.ts";

/** What a func.yaml says, checked. */
export interface FunctionFile {
  readonly fileName: string;
  readonly name: string;
  readonly runtime: FunctionRuntime;
  /** stdio: the program is run once per call, with the body on standard input and the answer on standard output. */
  readonly format: "http-stream" | "stdio";
  /** The program and its arguments; undefined: what is usual for the runtime. */
  readonly entrypoint: readonly string[] | undefined;
  /** Follows the entrypoint; alone it is the command, or for Java the class. */
  readonly cmd: readonly string[] | undefined;
  readonly memory: number | undefined;
  readonly timeout: number | undefined;
  readonly idleTimeout: number | undefined;
  readonly config: Readonly<Record<string, string>>;
  /** With the settings of the map `chaya:` as `chaya/…`. */
  readonly annotations: Readonly<Record<string, unknown>>;
  readonly triggers: readonly TriggerSpec[];
  /** Commands that are run in the folder before it is packed. */
  readonly build: readonly string[];
  /** Config keys without which the function does not work. */
  readonly expectedConfig: readonly string[];
  /** false: the folder travels as it is, with its node_modules. */
  readonly isBundled: boolean;
  readonly warnings: readonly string[];
}

export interface TriggerSpec {
  readonly name: string;
  readonly type: string;
  readonly source: string;
}

const fileNames = ["func.yaml", "func.yml", "func.json"] as const;
const schemaVersion = 20180708;
/** Every key of Fn's schema 20180708, and ours: `format`, `chaya` and `bundle`, which Fn's CLI passes over. */
const knownKeys = [
  "schema_version",
  "name",
  "version",
  "runtime",
  "build_image",
  "run_image",
  "cmd",
  "entrypoint",
  "format",
  "content_type",
  "type",
  "memory",
  "timeout",
  "idle_timeout",
  "config",
  "annotations",
  "build",
  "expects",
  "triggers",
  "signing_details",
  "deploy",
  "chaya",
  "bundle",
] as const;
/** Keys that only mean something to Oracle's service. */
const ignoredKeys = ["signing_details", "deploy"] as const;

/** The path of the folder's function file; undefined when it has none. */
export function functionFilePath(folder: string): string | undefined {
  return fileNames.map((name) => join(folder, name)).find((path) => existsSync(path));
}

/** Reads the func.yaml, func.yml or func.json of a folder. Throws a CliError that names the key. */
export async function readFunctionFile(folder: string): Promise<FunctionFile> {
  const path = functionFilePath(folder);
  if (path === undefined) {
    throw new CliError({
      what: `There is no func.yaml in ${folder}.`,
      hint: "Make a function with: chaya init NAME — or name its folder: chaya deploy --app APP DIR",
    });
  }
  return functionFileOf(await readYamlFile(path), basename(folder));
}

export function functionFileOf(file: YamlFile, folderName: string): FunctionFile {
  checkSchema(file);
  const settings = readSettings(file);
  const runtime = readRuntime(file);
  if (runtime.language === "javascript") checkNodeCommand(file);
  return {
    fileName: file.name,
    name: readName(file, folderName),
    runtime,
    format: readFormat(file),
    entrypoint: readWords(file, "entrypoint"),
    cmd: readWords(file, "cmd"),
    memory: readWholeNumber(file, "memory"),
    timeout: readWholeNumber(file, "timeout"),
    idleTimeout: readWholeNumber(file, "idle_timeout"),
    config: readTexts(file, "config"),
    annotations: { ...readValues(file, "annotations"), ...settings },
    triggers: readList(file, "triggers").map((trigger) => readTrigger(file, trigger)),
    build: readList(file, "build").map((command) => textOf(file, "build", command)),
    expectedConfig: readExpectedConfig(file),
    isBundled: readBoolean(file, "bundle") ?? true,
    warnings: [
      ...unknownKeys(file, knownKeys),
      ...ignoredKeys
        .filter((key) => file.map.has(key))
        .map((key) => `${file.name}: '${key}' has no meaning here and is left out`),
    ],
  };
}

function checkSchema(file: YamlFile): void {
  const version = readWholeNumber(file, "schema_version");
  if (version !== schemaVersion) {
    throw fileError(file.name, `its schema_version must be ${schemaVersion}, not ${version ?? "absent"}`);
  }
}

function readRuntime(file: YamlFile): FunctionRuntime {
  const text = readText(file, "runtime") ?? "node";
  const runtime = functionRuntime(text);
  if (runtime !== undefined) return runtime;
  throw fileError(file.name, `the runtime '${text}' cannot be deployed as code; these can: ${runtimeNames.join(", ")}`);
}

function readFormat(file: YamlFile): FunctionFile["format"] {
  const format = readText(file, "format") ?? "http-stream";
  if (format === "http-stream" || format === "stdio") return format;
  throw fileError(file.name, `its format must be http-stream or stdio, not '${format}'`);
}

function readName(file: YamlFile, folderName: string): string {
  const name = readText(file, "name") ?? folderName.toLowerCase();
  // Fn: lower case, no colon; its server takes what needs no escaping in a URL.
  if (/^[a-z0-9\-_.~$&+=@]+$/.test(name)) return name;
  throw fileError(
    file.name,
    `'${name}' cannot be the name of a function: lower-case letters, digits, '-', '_' and '.'`,
  );
}

function checkNodeCommand(file: YamlFile): void {
  const words = [...(readWords(file, "entrypoint") ?? []), ...(readWords(file, "cmd") ?? [])];
  if (words.length === 0 || (words[0] === "node" && words.length > 1)) return;
  throw fileError(file.name, `its entrypoint must be 'node FILE', not '${words.join(" ")}'`);
}

/** Fn splits at white space. A list, which Fn does not know, keeps words with blanks in them. */
function readWords(file: YamlFile, key: string): readonly string[] | undefined {
  const words = isList(file, key)
    ? readList(file, key).map((word) => textOf(file, key, word))
    : (readText(file, key)?.split(/\s+/).filter(Boolean) ?? []);
  return words.length === 0 ? undefined : words;
}

/** The map `chaya:`, each setting under the name of its annotation. */
function readSettings(file: YamlFile): Readonly<Record<string, unknown>> {
  const given = readValues(file, "chaya");
  for (const name of Object.keys(given)) {
    if (allowedSetting(name) !== undefined) continue;
    const guess = nearest(name, settingNames());
    throw fileError(
      file.name,
      `chaya.${name} is not a setting${guess === undefined ? "" : `; did you mean '${guess}'?`}`,
    );
  }
  const parsed = FunctionSettings().partial().safeParse(given);
  if (!parsed.success) {
    const name = String(parsed.error.issues[0]?.path[0]);
    throw fileError(file.name, `chaya.${name} must be ${allowedSetting(name)}`);
  }
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [settingsPrefix + name, value]));
}

function readTrigger(file: YamlFile, value: unknown): TriggerSpec {
  const { name, type = "http", source } = recordOf(file, "triggers", value);
  return {
    name: textOf(file, "triggers.name", name),
    type: textOf(file, "triggers.type", type),
    source: textOf(file, "triggers.source", source),
  };
}

function readExpectedConfig(file: YamlFile): readonly string[] {
  const { config } = readValues(file, "expects");
  if (config === undefined || config === null) return [];
  if (!Array.isArray(config)) throw fileError(file.name, "expects.config must be a list");
  return config
    .map((entry) => recordOf(file, "expects.config", entry))
    .filter((entry) => entry.required === true)
    .map((entry) => textOf(file, "expects.config.name", entry.name));
}

function recordOf(file: YamlFile, place: string, value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  throw fileError(file.name, `${place} must be a list of maps`);
}

function textOf(file: YamlFile, place: string, value: unknown): string {
  if (typeof value === "string" && value !== "") return value;
  throw fileError(file.name, `${place} must be text`);
}
