import type { ControlGroups } from "./control-groups.ts";
import type { InstanceLimiter, InstanceLimits } from "./sandbox.ts";

/** Limits the group that the process joined as it started; without groups nothing is limited here. */
export function limitGroup(groups: ControlGroups | undefined, pid: number, limits: InstanceLimits): InstanceLimiter {
  const name = groups?.nameOf(pid);
  if (name !== undefined) groups?.limit(name, limits);
  return {
    socketDirectory: undefined,
    limitsMemory: name !== undefined && groups?.controllers.has("memory") === true,
    wasOutOfMemory: () => name !== undefined && groups?.wasOutOfMemory(name) === true,
    [Symbol.asyncDispose]: async () => {},
  };
}
