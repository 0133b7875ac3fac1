import { expect, it } from "vitest";
import { StreamGarbage } from "./stream-garbage.ts";

it("collects once for every 16 MiB that passed", () => {
  let collections = 0;
  const garbage = new StreamGarbage(() => collections++);
  for (let kibibytes = 0; kibibytes < 40 * 1024; kibibytes += 64) garbage.passed(64 * 1024);
  expect(collections).toBe(2);
});

it("frees the buffers that passed", () => {
  const garbage = new StreamGarbage();
  const before = process.memoryUsage().arrayBuffers;
  for (let block = 0; block < 2048; block++) garbage.passed(Buffer.allocUnsafeSlow(64 * 1024).length);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(48 * 1024 * 1024);
});
