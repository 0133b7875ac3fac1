import { existsSync } from "node:fs";
import { join } from "node:path";
import { readText, readTexts, readValues, readYamlFile, unknownKeys } from "./yaml-file.ts";

/** What an app.yaml says. */
export interface ApplicationFile {
  readonly name: string | undefined;
  readonly config: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, unknown>>;
  readonly syslogUrl: string | undefined;
  readonly warnings: readonly string[];
}

const fileNames = ["app.yaml", "app.yml", "app.json"] as const;
const knownKeys = ["name", "config", "annotations", "syslog_url"] as const;

/** Reads the app.yaml, app.yml or app.json of a folder; undefined when it has none. */
export async function readApplicationFile(folder: string): Promise<ApplicationFile | undefined> {
  const path = fileNames.map((name) => join(folder, name)).find((candidate) => existsSync(candidate));
  if (path === undefined) return undefined;
  const file = await readYamlFile(path);
  return {
    name: readText(file, "name"),
    config: readTexts(file, "config"),
    annotations: readValues(file, "annotations"),
    syslogUrl: readText(file, "syslog_url"),
    warnings: unknownKeys(file, knownKeys),
  };
}
