import { expect, it } from "vitest";
import { startMetrics } from "./start-metrics.ts";

it("shows what starts found, each reason as a label", () => {
  const found = { ready: 5, "all-taken": 2, "first-of-kind": 1, "none-kept": 0 };
  const [starts, plain, waiting] = startMetrics({ found, plain: 1, waiting: 4 });
  expect(starts).toMatchObject({ name: "chaya_instance_starts_total", type: "counter" });
  expect(starts?.samples).toContainEqual({ labels: { found: "all-taken" }, value: 2 });
  expect(starts?.samples).toHaveLength(4);
  expect(plain?.samples).toEqual([{ value: 1 }]);
  expect(waiting).toMatchObject({ type: "gauge", samples: [{ value: 4 }] });
});

it("shows nothing where nothing is started ahead", () => {
  expect(startMetrics(undefined)).toEqual([]);
});
