import { describe, expect, it } from "vitest";
import { commands } from "../commands.ts";
import { runInMemory } from "../testing/memory-terminal.ts";
import { candidates } from "./completion.ts";

describe("completion", () => {
  it.each([
    [[""], ["start", "deploy", "apps", "completion"]],
    [["ap"], ["apps"]],
    [
      ["apps", ""],
      ["list", "get", "create", "update", "delete"],
    ],
    [["apps", "create", "--c"], ["--config"]],
    [
      ["deploy", "--"],
      ["--help", "--app", "--all", "--watch", "--url", "--data", "--json"],
    ],
    [["nonsense", ""], []],
  ])("of %j offers %j", (words, offered) => {
    expect(candidates(commands, words)).toEqual(expect.arrayContaining(offered));
    if (words[0] !== "") expect(candidates(commands, words).length).toBe(offered.length);
  });

  it("never offers itself twice", () => {
    const offered = candidates(commands, [""]);
    expect(offered.length).toBe(new Set(offered).size);
    expect(offered).not.toContain("complete");
  });

  it("takes flags among the words as words", async () => {
    const run = await runInMemory(["complete", "--", "apps", "list", "--js"]);
    expect([run.code, run.out]).toEqual([0, "--json\n"]);
  });
});
