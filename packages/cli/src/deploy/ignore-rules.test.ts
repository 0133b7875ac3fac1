import { describe, expect, it } from "vitest";
import { ignoreRules } from "./ignore-rules.ts";

describe("ignore rules", () => {
  it.each([
    ["*.log", ["a.log", "deep/b.log"], ["a.logs", "log"]],
    ["/top.txt", ["top.txt"], ["deep/top.txt"]],
    ["docs/*.md", ["docs/a.md"], ["docs/deep/a.md", "other/docs/a.md"]],
    ["docs/**/*.md", ["docs/a.md", "docs/deep/er/a.md"], ["a.md"]],
    ["logs/**", ["logs/a", "logs/b/c"], ["logs"]],
    ["**/cache", ["cache", "a/b/cache"], ["cached"]],
    ["a?c", ["abc", "x/abc"], ["ac", "a/c"]],
    ["a+(b).txt", ["a+(b).txt"], ["aab.txt"]],
    ["[draft]", ["[draft]"], ["d"]],
    ["# *.js", [], ["a.js"]],
  ])("'%s' fits %j and not %j", (rule, fitting, others) => {
    const isIgnored = ignoreRules([rule]);
    expect(fitting.filter((path) => !isIgnored(path, false))).toEqual([]);
    expect(others.filter((path) => isIgnored(path, false))).toEqual([]);
  });

  it("with a slash at the end fit folders only", () => {
    const isIgnored = ignoreRules(["build/"]);
    expect([isIgnored("build", true), isIgnored("build", false)]).toEqual([true, false]);
  });

  it("are decided by the last one that fits", () => {
    const isIgnored = ignoreRules([".env.*", "!.env.example", "  ", ""]);
    expect([isIgnored(".env.local", false), isIgnored(".env.example", false)]).toEqual([true, false]);
  });

  it("do not hang on hostile patterns", () => {
    const isIgnored = ignoreRules([`${"*a".repeat(30)}b`, `${"**/".repeat(20)}x`]);
    const startMs = performance.now();
    isIgnored("a".repeat(200), false);
    isIgnored("a/".repeat(100), false);
    expect(performance.now() - startMs).toBeLessThan(500);
  });
});
