import type { CallView } from "@chaya/contract/chaya";

/** How a counted call ended. */
export const countedStatuses: readonly CallView["status"][] = [
  "succeeded",
  "failed",
  "timed-out",
  "refused",
  "cancelled",
];

/** Upper bounds in seconds; what is slower counts in the bucket after the last. */
export const bucketSeconds = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
] as const;

/** Buckets, one beyond, then the sum in seconds. */
const histogramColumns = bucketSeconds.length + 2;

/** Where each figure of a function stands in its row of numbers; shared by the thread that counts and the one that renders. */
export const columns = {
  status: 0,
  coldStarts: countedStatuses.length,
  duration: countedStatuses.length + 1,
  wait: countedStatuses.length + 1 + histogramColumns,
  count: countedStatuses.length + 1 + 2 * histogramColumns,
} as const;

export const histogram = { sum: bucketSeconds.length + 1 } as const;

/** NaN in all of them: the function has no gauges now. */
export const gaugeColumns = ["idle", "busy", "starting", "waiting"] as const;
