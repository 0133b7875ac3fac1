import { lstat, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";

/** What of this machine's system an instance sees, read-only. */
export interface SystemTree {
  readonly directories: readonly string[];
  /** Path → where it leads. */
  readonly links: ReadonlyMap<string, string>;
  /** Of /etc: what programs and libraries read, and nothing that names this machine's people or secrets. */
  readonly settings: readonly string[];
}

const directories = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store"];
const settings = [
  ...["alternatives", "crypto-policies", "fonts", "gai.conf", "host.conf", "ld.so.cache", "ld.so.conf"],
  ...["ld.so.conf.d", "localtime", "magic", "mime.types", "os-release", "perl", "pki/ca-trust/extracted"],
  ...["pki/tls/certs", "pki/tls/openssl.cnf", "protocols", "services", "ssl/certs", "ssl/openssl.cnf", "timezone"],
];
/** Java and Python of a distribution keep theirs by version. */
const versionedSettings = /^(java|python)[\w.-]*$/;

/** Looks what there is. */
export async function readSystemTree(): Promise<SystemTree> {
  const found: string[] = [];
  const links = new Map<string, string>();
  for (const path of directories) {
    const stat = await lstat(path).catch(() => undefined);
    if (stat?.isSymbolicLink() === true) links.set(path, await readlink(path));
    else if (stat?.isDirectory() === true) found.push(path);
  }
  const versioned = (await readdir("/etc")).filter((name) => versionedSettings.test(name));
  const present: string[] = [];
  for (const name of [...settings, ...versioned]) {
    const path = join("/etc", name);
    if ((await lstat(path).catch(() => undefined)) !== undefined) present.push(path);
  }
  return { directories: found, links, settings: present };
}
