import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";

/** How libuv names what a child gets under each descriptor. */
export type InstanceStdio = readonly ("ignore" | "pipe" | number)[];

const closeOnExec = 0o2000000;

/**
 * Keeps what the server itself inherited (from a shell, a supervisor) out of its instances. Node opens everything
 * close-on-exec and marks what it inherited so too, but only up to the first gap above 15
 * (uv_disable_stdio_inheritance). What still lacks the flag cannot be closed for a child without native code;
 * `/dev/null` stands in its place.
 */
export class DescriptorGuard implements Disposable {
  readonly #nothing = openSync("/dev/null", "r+");
  /** Standard input is empty, output and error are pipes, nothing else leads anywhere. */
  readonly stdio: InstanceStdio;

  constructor() {
    const inherited = new Set(readInheritedDescriptors());
    const length = Math.max(2, ...inherited) + 1;
    // libuv leaves descriptors above 2 that are ignored as they are.
    this.stdio = Array.from({ length }, (_, descriptor) => {
      if (descriptor === 1 || descriptor === 2) return "pipe";
      return inherited.has(descriptor) ? this.#nothing : "ignore";
    });
  }

  [Symbol.dispose](): void {
    closeSync(this.#nothing);
  }
}

/** Empty where there is no /proc to ask. */
function readInheritedDescriptors(): readonly number[] {
  try {
    return readdirSync("/proc/self/fd").map(Number).filter(isInherited);
  } catch {
    return [];
  }
}

function isInherited(descriptor: number): boolean {
  if (descriptor <= 2) return false;
  try {
    const flags = /^flags:\s+([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, "utf8"))?.[1];
    return flags !== undefined && (Number.parseInt(flags, 8) & closeOnExec) === 0;
  } catch {
    // The directory that was being read is closed again.
    return false;
  }
}
