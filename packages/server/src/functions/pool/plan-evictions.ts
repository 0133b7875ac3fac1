/** An instance that nobody uses now and nothing keeps. */
export interface IdleInstance {
  readonly applicationId: string;
  readonly memoryMiB: number;
  /** Monotonic. */
  readonly idleSinceMs: number;
}

/** What a start lacks; negative or zero: enough. */
export interface Shortage {
  readonly memoryMiB: number;
  readonly instances: number;
  readonly applicationInstances: number;
  readonly applicationId: string;
}

/** Which idle instances to end so that a start has room: the least recently used first; undefined when all would not do. */
export function planEvictions<T extends IdleInstance>(
  idle: readonly T[],
  shortage: Shortage,
): readonly T[] | undefined {
  const chosen: T[] = [];
  let { memoryMiB, instances, applicationInstances } = shortage;
  const oldestFirst = [...idle].sort((a, b) => a.idleSinceMs - b.idleSinceMs);
  const take = (instance: T) => {
    chosen.push(instance);
    memoryMiB -= instance.memoryMiB;
    instances--;
    if (instance.applicationId === shortage.applicationId) applicationInstances--;
  };
  for (const instance of oldestFirst) {
    if (applicationInstances > 0 && instance.applicationId === shortage.applicationId) take(instance);
  }
  for (const instance of oldestFirst) {
    if ((memoryMiB > 0 || instances > 0) && !chosen.includes(instance)) take(instance);
  }
  return memoryMiB > 0 || instances > 0 || applicationInstances > 0 ? undefined : chosen;
}
