import { limits } from "@chaya/contract";
import { expect, it } from "vitest";
import { StartOutput } from "./start-output.ts";

function textOf(lines: readonly string[], hidden = "no secret"): string | undefined {
  const output = new StartOutput();
  for (const line of lines) output.add(Buffer.from(line));
  return output.text((bytes) => Buffer.from(Buffer.from(bytes).toString().replaceAll(hidden, "[secret]")));
}

it("is the last lines, without empty ones at the end", () => {
  expect(textOf(["", "  const = 1", "        ^", "", ""])).toBe("\n  const = 1\n        ^");
  const many = Array.from({ length: 100 }, (_, index) => `line ${index}`);
  expect(textOf(many)).toBe(many.slice(-limits.startOutputLinesMax).join("\n"));
});

it("is nothing when nothing was printed", () => {
  expect(textOf([])).toBeUndefined();
  expect(textOf(["", "  "])).toBeUndefined();
});

it("has a bounded length, of each line and of all", () => {
  const cut = `${"x".repeat(limits.startOutputLineCharactersMax)}…`;
  expect(textOf(["x".repeat(10_000)])).toBe(cut);
  const text = textOf(Array<string>(limits.startOutputLinesMax).fill("x".repeat(10_000))) ?? "";
  expect(text.length).toBeLessThanOrEqual(limits.startOutputCharactersMax);
  expect(text.split("\n")).toEqual(Array(text.split("\n").length).fill(cut));
});

it("hides a secret although the line is cut in its middle", () => {
  const line = `${"x".repeat(limits.startOutputLineCharactersMax - 4)}my-secret`;
  expect(textOf([line], "my-secret")).not.toContain("my-s");
});
