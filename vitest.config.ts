import { defineConfig } from "vitest/config";

const sources = "packages/*/src/**/*.test.ts";
/** Suites of the extension points and everything that kills processes: slow, and run apart. */
const conformance = ["packages/server/src/drivers/**/*.test.ts", "packages/server/src/**/*.crash.test.ts"];
const shared = { pool: "threads", isolate: false, testTimeout: 20_000, hookTimeout: 60_000 } as const;

// biome-ignore lint/style/noDefaultExport: vitest reads its configuration from the default export.
export default defineConfig({
  test: {
    maxWorkers: 2,
    globalSetup: ["scripts/vitest-setup.ts"],
    projects: [
      { test: { name: "unit", include: [sources], exclude: conformance, ...shared } },
      { test: { name: "conformance", include: conformance, ...shared } },
      { test: { name: "acceptance", include: ["tests/**/*.test.ts"], ...shared } },
    ],
  },
});
