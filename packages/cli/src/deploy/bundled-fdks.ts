import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

export interface Fdk {
  readonly name: string;
  /** Where this command line has it; undefined when it is not installed. */
  readonly directory: string | undefined;
}

const names = ["@fnproject/fdk", "@chaya/fdk"] as const;

/** The FDKs that come with the command line, so that a fresh function deploys without npm or a network. */
export function bundledFdks(): readonly Fdk[] {
  const require = createRequire(import.meta.url);
  return names.map((name) => {
    const places = require.resolve.paths(name) ?? [];
    const directory = places.map((place) => join(place, name)).find((place) => existsSync(place));
    return { name, directory };
  });
}
