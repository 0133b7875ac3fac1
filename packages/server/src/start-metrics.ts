import type { StartFigures } from "./drivers/runtime/driver.ts";
import type { MetricFamily } from "./telemetry/index.ts";

/** Figures of the starts of instances for /metrics; none where nothing is started ahead. */
export function startMetrics(figures: StartFigures | undefined): readonly MetricFamily[] {
  if (figures === undefined) return [];
  return [
    {
      name: "chaya_instance_starts_total",
      help: "Starts of instances, by what they found: a process that waited (ready), or why there was none.",
      type: "counter",
      samples: Object.entries(figures.found).map(([found, value]) => ({ labels: { found }, value })),
    },
    {
      name: "chaya_instance_plain_starts_total",
      help: "Starts that ran a program anew, whatever they found, as the configuration or the runtime asks for.",
      type: "counter",
      samples: [{ value: figures.plain }],
    },
    {
      name: "chaya_processes_waiting",
      help: "Processes that wait for a function.",
      type: "gauge",
      samples: [{ value: figures.waiting }],
    },
  ];
}
