import { describe, expect, it } from "vitest";
import { nearest } from "./nearest.ts";

describe("the nearest word", () => {
  it.each([
    ["deploi", "deploy"],
    ["dpeloy", "deploy"],
    ["Deploy", "deploy"],
    ["lgos", "logs"],
    ["completely-different", undefined],
    ["", undefined],
  ])("for '%s' is %s", (typed, meant) => expect(nearest(typed, ["deploy", "logs", "invoke"])).toBe(meant));
});
