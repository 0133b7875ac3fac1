import type { PayloadDriver } from "../drivers/payload/driver.ts";
import type { Store } from "../drivers/store/driver.ts";
import type { TelemetryTables } from "../drivers/store/tables.ts";
import type { Audit } from "../http/audit.ts";
import type { Authorize } from "../http/authorize.ts";
import type { ControlRoute } from "../http/control-route.ts";
import type { ServedRoute, ServeExchange } from "../http/exchange.ts";
import type { Clock } from "../kernel/clock.ts";
import type { NewId } from "../kernel/ids.ts";
import type { Logger } from "../kernel/logger.ts";
import type {
  CaptureInput,
  ObserveCall,
  ObserveLine,
  Places,
  ReadGauges,
  RedactSecrets,
  ResolveFunctions,
} from "../seams.ts";
import { Calls } from "./calls.ts";
import { CapturedInputs } from "./captured-inputs.ts";
import { callRoutes } from "./handlers/calls.ts";
import { serveInput } from "./handlers/read-input.ts";
import { serveLogs } from "./handlers/read-logs.ts";
import { LogLines } from "./log-lines.ts";
import { LogTails } from "./log-tails.ts";
import { FunctionMetrics } from "./metrics/function-metrics.ts";
import { counter, gauge, type MetricFamily } from "./metrics/metric-family.ts";
import { MetricsRenderer } from "./metrics/metrics-renderer.ts";
import { watchProcess } from "./metrics/process-figures.ts";
import { serveMetrics } from "./metrics/serve-metrics.ts";
import { payloadsOfInputs } from "./records/captured-inputs.ts";
import {
  callsOfOtherNodes,
  callsWithoutEnd,
  type ForgottenEnd,
  recordEnd,
  type UnfinishedCall,
} from "./records/forgotten-ends.ts";
import { createRetention, type Retention } from "./retention.ts";
import { type TelemetryLimits, telemetryLimits } from "./telemetry-limits.ts";

export interface TelemetryDeps {
  readonly store: Store<TelemetryTables>;
  readonly payloads: PayloadDriver;
  readonly clock: Clock;
  readonly ids: NewId;
  /** Of this node, in the records of calls that it runs. */
  readonly nodeId: string;
  readonly logger: Logger;
  readonly resolve: ResolveFunctions;
  readonly places: Places;
  readonly authorize: Authorize;
  readonly audit: Audit;
  readonly redact: RedactSecrets;
  readonly readGauges: ReadGauges;
  /** Figures of others that /metrics shows: work, store, connections … Read once a scrape, which waits for them. */
  readonly readFamilies: () => Promise<readonly MetricFamily[]>;
  /** The contract's when absent. */
  readonly limits?: TelemetryLimits;
}

export interface Telemetry extends AsyncDisposable {
  readonly routes: readonly ControlRoute[];
  readonly streams: readonly ServedRoute[];
  readonly metrics: ServeExchange;
  readonly observeCall: ObserveCall;
  readonly observeLine: ObserveLine;
  readonly captureInput: CaptureInput;
  /** Which of these payloads are named here; for the collector of payloads. */
  readonly namedPayloads: (payloadIds: readonly string[]) => Promise<readonly string[]>;
  /** Ids of calls that run later and have no stored end, in order; and the ends of such calls, from whoever knows them. */
  readonly callsWithoutEnd: (page: Parameters<typeof callsWithoutEnd>[1]) => Promise<readonly string[]>;
  /** Calls whose caller waited and that another node runs, or ran when it ended; in order. */
  readonly callsOfOtherNodes: (page: {
    readonly afterId: string;
    readonly countMax: number;
  }) => Promise<readonly UnfinishedCall[]>;
  readonly recordEnds: (ends: readonly ForgottenEnd[]) => Promise<void>;
  readonly sweep: Retention["sweep"];
  /** Ends those who follow the log. Observing goes on until it is disposed, which writes what is left. */
  drain(): void;
}

export function createTelemetry(deps: TelemetryDeps): Telemetry {
  const limits = deps.limits ?? telemetryLimits;
  const tails = new LogTails(limits);
  const parts = { ...deps, limits, tails };
  const calls = new Calls(parts);
  const lines = new LogLines(parts);
  const inputs = new CapturedInputs(parts);
  const retention = createRetention(parts);
  const functions = new FunctionMetrics(limits.metricFunctionsMax);
  const renderer = new MetricsRenderer(functions, deps.clock);
  const processFigures = watchProcess(deps.clock);
  const readFamilies = async () => [
    ...ownFamilies({ calls, lines, inputs, tails }),
    ...processFigures.read(),
    ...(await deps.readFamilies()),
  ];
  return {
    routes: callRoutes({ ...parts, calls, lines }),
    streams: [serveInput({ ...parts, calls, inputs }), serveLogs({ ...parts, lines })],
    metrics: serveMetrics({ renderer, readGauges: deps.readGauges, readFamilies }),
    observeCall: guarded(deps.logger, (call) => {
      calls.observe(call);
      functions.observe(call);
      if (call.finishedAtMs !== undefined) lines.callFinished(call.id);
    }),
    observeLine: guarded(deps.logger, (line) => lines.observe(line)),
    captureInput: guarded(deps.logger, (input) => inputs.capture(input)),
    namedPayloads: (payloadIds) => payloadsOfInputs(deps.store.db, payloadIds),
    callsWithoutEnd: (page) => callsWithoutEnd(deps.store.db, page),
    callsOfOtherNodes: (page) => callsOfOtherNodes(deps.store.db, { ...page, nodeId: deps.nodeId }),
    recordEnds: async (ends) => {
      if (ends.length > 0) await deps.store.apply(ends.map((end) => recordEnd(deps.store, end)));
    },
    sweep: retention.sweep,
    drain: () => tails.drain(),
    [Symbol.asyncDispose]: async () => {
      tails.drain();
      await retention.close();
      await Promise.all([calls.close(), lines.close(), inputs.close()]);
      processFigures[Symbol.dispose]();
      await renderer[Symbol.asyncDispose]();
    },
  };
}

/** A call must not fail because it could not be observed: a bug in here is logged, and the observation is lost. */
function guarded<Observed>(logger: Logger, observe: (observed: Observed) => void): (observed: Observed) => void {
  return (observed) => {
    try {
      observe(observed);
    } catch (error) {
      logger.error("observation failed", { error });
    }
  };
}

interface OwnParts {
  readonly calls: Calls;
  readonly lines: LogLines;
  readonly inputs: CapturedInputs;
  readonly tails: LogTails;
}

function ownFamilies({ calls, lines, inputs, tails }: OwnParts): readonly MetricFamily[] {
  return [
    {
      name: "chaya_log_lines_dropped_total",
      help: "Log lines that were not kept.",
      type: "counter",
      samples: [
        { labels: { reason: "limit" }, value: lines.droppedByLimit },
        { labels: { reason: "store" }, value: lines.droppedByStore },
      ],
    },
    counter("chaya_call_records_dropped_total", "Call records that could not be kept.", calls.dropped),
    counter("chaya_captured_inputs_dropped_total", "Inputs that could not be captured.", inputs.dropped),
    gauge("chaya_log_readers", "Clients that follow logs.", tails.size),
  ];
}
