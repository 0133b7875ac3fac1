import { execFileSync } from "node:child_process";
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
      ["--help", "--app", "--all", "--url", "--json"],
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

  it("works in bash", async () => {
    const { out: script } = await runInMemory(["completion", "bash"]);
    const session = `chaya() { printf "%s:" "$@"; }\n${script}\nCOMP_WORDS=(chaya apps li) COMP_CWORD=2\n_chaya\necho "$COMPREPLY"\ncomplete -p chaya`;
    expect(execFileSync("bash", ["-c", session]).toString()).toBe(
      "complete:--:apps:li:\ncomplete -o default -F _chaya chaya\n",
    );
  });

  it.each(["zsh", "fish"])("has a script for %s that asks the program", async (shell) => {
    expect((await runInMemory(["completion", shell])).out).toContain("chaya complete --");
  });
});
