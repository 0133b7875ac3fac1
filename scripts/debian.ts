import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";

/**
 * Installs Debian's packages for tests: as root on Debian and its kin, else it throws a sentence that says what is
 * missing. Tests never go on without what they need. `what`: in words, for whoever reads along.
 */
export function installFromDebian(what: string, packages: readonly string[]): void {
  const missing = `The tests need ${what}`;
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get"))
    throw new Error(`${missing}. Install it, or run the tests as root on Debian: then they install it themselves.`);
  console.error(`Installing ${what} from Debian (once) …`);
  try {
    aptGet("update", "-q");
    aptGet("install", "-y", "-q", "--no-install-recommends", ...packages);
  } catch (cause) {
    const failed = `apt-get could not install ${packages.join(", ")}; what it says is above`;
    throw new Error(`${missing}, and ${failed}.`, { cause });
  }
}

/** One at a time: another test run may be here as well, and apt-get waits for other programs only when it installs. */
function aptGet(...options: readonly string[]): void {
  execFileSync("flock", ["/var/lib/apt", "apt-get", "-o", "DPkg::Lock::Timeout=300", ...options], {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  });
}
