import { existsSync } from "node:fs";
import { join } from "node:path";
import { installFromDebian } from "./debian.ts";

/** Debian's packages of the programs that functions are built and run with. */
const packages = {
  bundle: "bundler",
  bwrap: "bubblewrap",
  cargo: "cargo",
  gcc: "build-essential",
  go: "golang-go",
  javac: "default-jdk-headless",
  pip3: "python3-pip",
  python3: "python3",
  ruby: "ruby",
  slirp4netns: "slirp4netns",
} as const;

/** How long the hook of a test may take that has to install: a JDK and a compiler are hundreds of megabytes. */
export const installMsMax = 900_000;

/** Makes sure that the programs are here; installs from Debian what is missing, else throws. */
export function requireToolchains(...programs: readonly (keyof typeof packages)[]): void {
  const folders = (process.env.PATH ?? "").split(":");
  const missing = programs.filter((program) => !folders.some((folder) => existsSync(join(folder, program))));
  const names = missing.map((program) => packages[program]);
  if (missing.length > 0) installFromDebian(`the programs ${missing.join(", ")}`, names);
}
