/** How many processes wait, and when. */
export interface PoolSizes {
  /** All kinds together; 0: none ever waits. */
  readonly processesMax: number;
  /** Of the kind used last, also when nothing has happened for long. */
  readonly idle: number;
  /** Of one kind, while cold starts of it happen: so many may come at the same moment. */
  readonly active: number;
}

/** What is known about cold starts of one kind. */
export interface KindUse {
  /** In the last minutes. */
  readonly starts: number;
  /** How many functions came in the last minutes that may be called for the first time. */
  readonly expected: number;
  /** The most in one second of the last minutes. */
  readonly peak: number;
  /** Monotonic; undefined: never. */
  readonly lastAtMs: number | undefined;
  /** Used last of all Node kinds, or the usual one when none was. */
  readonly isCurrent: boolean;
}

/** Two cores make about thirty in a second. */
export const defaultPoolSizes: PoolSizes = { processesMax: 32, idle: 2, active: 10 };
/** Private memory of one that waits. */
export const waitingProcessMiB = 16;
/** Every cold start, and every function that may come to one, lets so many more wait, up to the number for active kinds. */
const growth = 2;

/** How many of each kind should wait now, within the maximum; what was used last comes first. Pure. */
export function poolTargets(uses: readonly KindUse[], sizes: PoolSizes): readonly number[] {
  const targets = uses.map(() => 0);
  let left = sizes.processesMax;
  const byRank = uses.map((use, index) => ({ use, index })).sort((a, b) => rank(b.use) - rank(a.use));
  for (const { use, index } of byRank) {
    const target = Math.min(left, wanted(use, sizes));
    targets[index] = target;
    left -= target;
  }
  return targets;
}

function wanted({ starts, expected, peak, isCurrent }: KindUse, { idle, active }: PoolSizes): number {
  if (starts + expected === 0) return isCurrent ? idle : 0;
  return Math.max(peak, Math.min(active, idle + growth * (starts + expected)));
}

function rank({ isCurrent, lastAtMs = Number.NEGATIVE_INFINITY }: KindUse): number {
  return isCurrent ? Number.POSITIVE_INFINITY : lastAtMs;
}
