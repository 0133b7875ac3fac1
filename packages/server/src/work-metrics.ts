import type { Clock } from "./kernel/clock.ts";
import type { Logger } from "./kernel/logger.ts";
import type { MetricFamily } from "./telemetry/index.ts";
import type { LiveNodes } from "./work/live-nodes.ts";
import type { KindFigures, WorkQueue } from "./work/work.ts";

export interface WorkMetricsDeps {
  readonly work: Pick<WorkQueue, "figures">;
  readonly liveNodes: Pick<LiveNodes, "count">;
  readonly clock: Pick<Clock, "timeout">;
  readonly logger: Logger;
}

/** A scrape waits so long for the store. */
const waitMsMax = 1_000;

/**
 * Figures of the work for /metrics. While the store does not answer they are left out, rather than failing or holding up
 * a scrape that shows the rest.
 */
export function workMetrics(deps: WorkMetricsDeps): () => Promise<readonly MetricFamily[]> {
  const { work, liveNodes, clock, logger } = deps;
  let reading: Promise<readonly KindFigures[]> | undefined;
  let isFailing = false;
  const readInTime = () => {
    // One at a time, also while a slow store has not answered the scrape before.
    reading ??= work.figures().finally(() => {
      reading = undefined;
    });
    return Promise.race([reading, failing(clock.timeout(waitMsMax))]);
  };
  return async () => {
    const nodes = family("chaya_nodes_live", "Nodes that share the store, this one included.", [
      { value: liveNodes.count() },
    ]);
    try {
      const kinds = await readInTime();
      isFailing = false;
      return [...workFamilies(kinds), nodes];
    } catch (error) {
      if (!isFailing) logger.warn("metrics of the work could not be read and are left out", { error });
      isFailing = true;
      return [nodes];
    }
  };
}

function workFamilies(kinds: readonly KindFigures[]): readonly MetricFamily[] {
  const samples = (read: (figures: KindFigures) => number) =>
    kinds.map((figures) => ({ labels: { kind: figures.kind }, value: read(figures) }));
  return [
    family(
      "chaya_work_waiting",
      "Items of work that wait, due or not, on all nodes; large counts are up to minutes old.",
      samples(({ waiting }) => waiting),
    ),
    family(
      "chaya_work_oldest_due_seconds",
      "How long the item that is due longest has waited, on all nodes.",
      samples(({ oldestDueMs }) => oldestDueMs / 1_000),
    ),
    family(
      "chaya_work_running",
      "Items of work that this node runs.",
      samples(({ running }) => running),
    ),
    family(
      "chaya_work_dead_letters",
      "Items of work that were given up and wait to be redriven or removed, on all nodes.",
      samples(({ deadLetters }) => deadLetters),
    ),
  ];
}

function family(name: string, help: string, samples: MetricFamily["samples"]): MetricFamily {
  return { name, help, type: "gauge", samples };
}

/** Rejects with the signal. */
function failing(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
}
