import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/**
 * Reads YAML; throws what the parser says. Aliases are refused: a short text could stand for a huge value. The parser is
 * loaded by the first text, which most servers never see: it takes more than a megabyte for as long as they run.
 */
export function parseYaml(text: string): unknown {
  const yaml: typeof import("yaml") = require("yaml");
  return yaml.parse(text, { maxAliasCount: 0 });
}
