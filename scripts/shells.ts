import { existsSync } from "node:fs";
import { join } from "node:path";
import { installFromDebian } from "./debian.ts";

const shells = ["bash", "zsh", "fish"] as const;

/** Makes sure that the shells that completion is written for are here; installs from Debian what is missing, else throws. */
export function requireShells(): void {
  const folders = (process.env.PATH ?? "").split(":");
  const missing = shells.filter((shell) => !folders.some((folder) => existsSync(join(folder, shell))));
  if (missing.length > 0) installFromDebian(`the shells ${missing.join(", ")}`, missing);
}
