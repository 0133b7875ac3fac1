export type { MetricFamily } from "./metrics/metric-family.ts";
export type { ForgottenEnd } from "./records/forgotten-ends.ts";
export { createTelemetry, type Telemetry, type TelemetryDeps } from "./telemetry.ts";
export { type TelemetryLimits, telemetryLimits } from "./telemetry-limits.ts";
