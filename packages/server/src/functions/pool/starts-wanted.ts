// Hot path: ARCHITECTURE, hot-path rules

export interface PoolDemand {
  readonly waiting: number;
  /** Instances being started, and calls that each instance takes at once. */
  readonly starting: number;
  readonly concurrency: number;
  /** Instances there are: busy ones when anybody waits. */
  readonly live: number;
  readonly livesMin: number;
  readonly oldestWaitMs: number;
  /** Undefined while no call has ended yet. */
  readonly averageRunMs: number | undefined;
}

/** An instance costs tens of milliseconds of a core: waiting this long for a busy one is cheaper for everybody. */
const patienceMs = 10;

/**
 * How many more instances would serve those who wait. The first is wanted at once; more only when the busy ones will
 * not be free soon, by what calls took so far or by how long somebody has waited already.
 */
export function startsWanted(demand: PoolDemand): number {
  const lacking = demand.livesMin - demand.live - demand.starting;
  const unserved = demand.waiting - demand.starting * demand.concurrency;
  if (unserved <= 0 || isServedSoon(demand, unserved)) return Math.max(0, lacking);
  return Math.max(lacking, Math.ceil(unserved / demand.concurrency));
}

function isServedSoon(demand: PoolDemand, unserved: number): boolean {
  if (demand.live === 0 || demand.averageRunMs === undefined || demand.oldestWaitMs >= patienceMs) return false;
  return (unserved * demand.averageRunMs) / (demand.live * demand.concurrency) < patienceMs;
}
