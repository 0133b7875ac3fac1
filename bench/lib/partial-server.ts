// The platform without one of its features, to learn what that costs: `node partial-server.ts start … --without records`.
import { parseArgs } from "node:util";
import { readConfig } from "../../packages/server/src/config.ts";
import type { RuntimeDriver } from "../../packages/server/src/drivers/runtime/driver.ts";
import { systemClock } from "../../packages/server/src/kernel/clock.ts";
import { type Overrides, startPlatform } from "../../packages/server/src/platform.ts";

const features: Readonly<Record<string, Overrides>> = {
  records: { wrapTelemetry: (telemetry) => ({ ...telemetry, observeCall: () => {} }) },
  logs: {
    wrapTelemetry: (telemetry) => ({ ...telemetry, observeLine: () => {} }),
    wrapRuntime: withoutOutput,
  },
  // The platform's only work that is due this often.
  deadlines: {
    clock: { ...systemClock(), every: (ms, task) => systemClock().every(ms === 50 ? 2 ** 31 - 1 : ms, task) },
  },
};

const { values } = parseArgs({
  allowPositionals: true,
  options: { port: { type: "string" }, data: { type: "string" }, without: { type: "string", default: "" } },
});
const config = readConfig({ port: values.port, data: values.data }, {});
const platform = await startPlatform(config, features[values.without]);
console.log(`Chaya is ready at ${platform.address}`);
process.once("SIGTERM", () => void platform.stop());

/** Nobody waits for what an instance printed. */
function withoutOutput(runtime: RuntimeDriver): RuntimeDriver {
  const start = runtime.start.bind(runtime);
  runtime.start = async (spec, signal) => {
    const started = await start(spec, signal);
    if (started.kind === "started") started.instance.flushOutput = () => Promise.resolve();
    return started;
  };
  return runtime;
}
