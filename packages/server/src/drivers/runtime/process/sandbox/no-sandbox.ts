import { existsSync } from "node:fs";
import { basename } from "node:path";
import type { RuntimeAbilities } from "../../driver.ts";
import { endMarked } from "../end-marked.ts";
import type { InstanceDirectory } from "../instance-directory.ts";
import { listenerOf } from "../launch-environment.ts";
import type { ProcessWatch } from "../process-watch.ts";
import type { ControlGroups } from "./control-groups.ts";
import { joinGroups, shellPath } from "./group-joining.ts";
import { limitGroup } from "./limit-group.ts";
import type { InstanceLimiter, InstanceLimits, ProcessEnd, Sandbox, SandboxEntry, SandboxPlace } from "./sandbox.ts";

const script = `${joinGroups}shift
exec "$@"`;

/**
 * Nothing: an instance is a plain process of the server's user. Control groups, where there are some, keep its limits
 * and the list of what it runs.
 */
export class NoSandbox implements Sandbox {
  readonly name = "none";
  readonly abilities: RuntimeAbilities;
  readonly explanation: readonly string[];
  readonly hasOwnLoopback = false;
  readonly outboundRefusal = undefined;
  readonly controlGroups: readonly string[];
  readonly memoryDirectories = [];
  readonly #groups: ControlGroups | undefined;

  constructor(groups: ControlGroups | undefined, explanation: readonly string[]) {
    this.#groups = groups;
    this.explanation = explanation;
    this.controlGroups = groups?.homes ?? [];
    this.abilities = {
      isolation: "none",
      limitsMemory: groups?.controllers.has("memory") === true || existsSync("/proc/self/status"),
      endsEscapees: groups !== undefined,
    };
  }

  enter({ instance, codeDirectory, credentialsDirectory }: SandboxPlace): SandboxEntry {
    const directories = this.#groups?.directoriesOf(basename(instance.path)) ?? [];
    return {
      prefix: directories.length === 0 ? [] : [shellPath, "-c", script, "sh", directories.join("\n")],
      descriptors: new Map(),
      codeDirectory,
      credentialsDirectory,
      socketDirectory: instance.socketDirectory,
      temporaryDirectory: instance.temporaryDirectory,
      pathOf: (path) => path,
    };
  }

  async attach(): Promise<void> {}

  async limit(pid: number, limits: InstanceLimits): Promise<InstanceLimiter> {
    return limitGroup(this.#groups, pid, limits);
  }

  readEnd(end: ProcessEnd): ProcessEnd {
    return end;
  }

  async leave(instance: InstanceDirectory, watch: ProcessWatch): Promise<void> {
    if (this.#groups === undefined) await endMarked(watch, `FN_LISTENER=${listenerOf(instance.socketDirectory)}`);
    else await this.#groups.end(basename(instance.path));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#groups?.[Symbol.asyncDispose]();
  }
}
