import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Clock } from "../../kernel/clock.ts";
import { counter, gauge, type MetricFamily } from "./metric-family.ts";

export interface ProcessFigures extends Disposable {
  read(): readonly MetricFamily[];
}

const loopDelayResolutionMs = 10;

/** Figures of this process under the names that Prometheus clients use. Loop delays are those since the last reading. */
export function watchProcess(clock: Pick<Clock, "nowMs">): ProcessFigures {
  const startedAtMs = Math.round(clock.nowMs() - process.uptime() * 1000);
  const loop = monitorEventLoopDelay({ resolution: loopDelayResolutionMs });
  loop.enable();
  const delay = (ns: number) => (Number.isFinite(ns) ? ns / 1e9 : 0);
  return {
    read: () => {
      const { rss, heapTotal, heapUsed, external } = process.memoryUsage();
      const { user, system } = process.cpuUsage();
      const delays = [0.5, 0.99].map((quantile) => ({
        labels: { quantile: String(quantile) },
        value: delay(loop.percentile(quantile * 100)),
      }));
      loop.reset();
      return [
        counter("process_cpu_seconds_total", "CPU time, user and system.", (user + system) / 1e6),
        gauge("process_resident_memory_bytes", "Resident memory.", rss),
        gauge("process_start_time_seconds", "Start of the process since the epoch.", startedAtMs / 1000),
        gauge("nodejs_heap_size_total_bytes", "Heap of the main thread.", heapTotal),
        gauge("nodejs_heap_size_used_bytes", "Used heap of the main thread.", heapUsed),
        gauge("nodejs_external_memory_bytes", "Memory outside of the heap.", external),
        { name: "nodejs_eventloop_lag_seconds", help: "Time a turn of the loop took.", type: "gauge", samples: delays },
      ];
    },
    [Symbol.dispose]: () => loop.disable(),
  };
}
