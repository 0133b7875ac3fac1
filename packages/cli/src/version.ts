import { readFileSync } from "node:fs";

/** The version of this command line, as its package says. */
export function cliVersion(): string {
  // The same relative place from src/ and from the built dist/.
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  // Our own package.json.
  return (JSON.parse(text) as { readonly version: string }).version;
}
