import { describe, expect, it } from "vitest";
import { parseStat, readMemoryBytes, readProcess } from "./process-table.ts";

describe("the process table", () => {
  it("is not misled by the name of a command", () => {
    const rest = "1 77 78 0 -1 4194304 1 0 0 0 1 2 0 0 20 0 1 0 424242 1000 10";
    expect(parseStat(`77 (x) S 1) Z 9 9 9) S ${rest}`)).toEqual({
      pid: 77,
      parent: 1,
      group: 77,
      session: 78,
      startTicks: 424242,
      isZombie: false,
    });
    expect(parseStat(`77 (x) Z ${rest}`)?.isZombie).toBe(true);
    expect(parseStat("garbage")).toBeUndefined();
  });

  it("knows this process and no process 2^22 + 1", () => {
    expect(readProcess(process.pid)).toMatchObject({ pid: process.pid, isZombie: false });
    expect(readMemoryBytes(process.pid)).toBeGreaterThan(5 * 1024 * 1024);
    expect(readProcess(2 ** 22 + 1)).toBeUndefined();
  });
});
