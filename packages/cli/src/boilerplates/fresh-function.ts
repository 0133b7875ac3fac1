import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { runtimeNames } from "../deploy/function-runtime.ts";
import type { Boilerplate } from "./boilerplate.ts";
import { go } from "./go.ts";
import { java } from "./java.ts";
import { node, typescript } from "./javascript.ts";
import { bash, program } from "./programs.ts";
import { python } from "./python.ts";
import { ruby } from "./ruby.ts";
import { rust } from "./rust.ts";

export interface FreshFunctionOptions {
  readonly name: string;
  readonly runtime: (typeof runtimeNames)[number];
  readonly hasTrigger: boolean;
}

/**
 * Writes a fresh function into a folder; gives the paths of its files. They have the names and keys that `fn init`
 * gives them, so its tools read them. Nothing is overwritten: what is there already is an error.
 */
export async function writeFreshFunction(folder: string, options: FreshFunctionOptions): Promise<readonly string[]> {
  const made = boilerplates[options.runtime];
  const files = { "func.yaml": functionFile(options, made), ...made.files(options.name) };
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    const mode = made.programs?.includes(path) ? 0o777 : 0o666;
    await writeFile(join(folder, path), text, { flag: "wx", mode });
  }
  return Object.keys(files);
}

const boilerplates: Readonly<Record<FreshFunctionOptions["runtime"], Boilerplate>> = {
  node,
  typescript,
  python,
  go,
  java,
  ruby,
  rust,
  bash,
  any: program,
};

function functionFile({ name, hasTrigger }: FreshFunctionOptions, made: Boilerplate): string {
  const lines = [
    "schema_version: 20180708",
    `name: ${yamlText(name)}`,
    "version: 0.0.1",
    ...made.functionFile,
    ...(hasTrigger ? ["triggers:", `- name: ${yamlText(name)}`, "  type: http", `  source: /${name}`] : []),
  ];
  return `${lines.join("\n")}\n`;
}

/** Names such as `123`, `null` or `1e3` would not be read back as text. */
function yamlText(name: string): string {
  return /^[a-z][a-z0-9_-]*$/.test(name) && !/^(true|false|null|yes|no|on|off|y|n)$/.test(name) ? name : `"${name}"`;
}
