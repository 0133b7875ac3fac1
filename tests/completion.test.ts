import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireShells } from "../scripts/shells.ts";
import { chayaBin } from "./server-process.ts";

let home: string;
beforeAll(() => {
  requireShells();
  home = mkdtempSync(join(tmpdir(), "chaya-shells-"));
  mkdirSync(join(home, "bin"));
  symlinkSync(chayaBin, join(home, "bin/chaya"));
  mkdirSync(join(home, "here"));
  writeFileSync(join(home, "here/orders.json"), "{}");
  writeFileSync(join(home, ".zshrc"), zshrc("source <(chaya completion zsh)"));
  writeFileSync(join(home, "terminal.zsh"), terminal);
  const fish = join(home, ".config/fish/completions/chaya.fish");
  mkdirSync(dirname(fish), { recursive: true });
  writeFileSync(fish, run("chaya", ["completion", "fish"]));
}, 300_000);
afterAll(() => rmSync(home, { recursive: true, force: true }));

describe.each([
  { shell: "bash", ask: askBash },
  { shell: "zsh", ask: askZsh },
  { shell: "fish", ask: askFish },
])("completion in $shell", ({ ask }) => {
  it.each([
    ["chaya de", ["deploy"]],
    ["chaya apps ", ["create", "delete", "get", "list", "update"]],
    ["chaya apps cr", ["create"]],
    ["chaya deploy --a", ["--all", "--app"]],
    ["chaya deploy --app photos --j", ["--json"]],
  ])("of '%s' offers %j", (line, offered) => {
    expect(ask(line)).toEqual(offered);
  });

  it("offers every command, and never the one that answers", () => {
    const offered = ask("chaya ");
    expect(offered).toEqual(expect.arrayContaining(["apps", "completion", "deploy", "invoke", "logs", "start"]));
    expect(offered).not.toContain("complete");
    expect(offered).not.toContain("orders.json");
  });

  it("offers files where the program has nothing to say", () => {
    expect(ask("chaya nonsense or")).toEqual(["orders.json"]);
  });
});

it("sees through the quotes that zsh leaves around words", () => {
  expect(askZsh("chaya 'apps' cr")).toEqual(["create"]);
});

it("is found by zsh in a folder of $fpath as well", () => {
  const folder = join(home, "functions");
  mkdirSync(folder);
  writeFileSync(join(folder, "_chaya"), run("chaya", ["completion", "zsh"]));
  writeFileSync(join(home, ".zshrc"), zshrc(`fpath=(${folder} $fpath)\nautoload -Uz compinit\ncompinit -u -D`));
  for (const round of [1, 2]) expect([round, askZsh("chaya de")]).toEqual([round, ["deploy"]]);
});

/** What the shell's own machinery would offer; files come through \`-o default\`, which is Readline's part. */
function askBash(line: string): readonly string[] {
  const session = `
    source <(chaya completion bash)
    read -ra COMP_WORDS <<<"$1"
    [[ $1 == *" " ]] && COMP_WORDS+=("")
    COMP_CWORD=$(( \${#COMP_WORDS[@]} - 1 ))
    [[ $(complete -p chaya) == "complete -o default -F _chaya chaya" ]] || exit 1
    _chaya
    (( \${#COMPREPLY[@]} )) || COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  return sorted(run("bash", ["--norc", "--noprofile", "-c", session, "bash", line]));
}

/** Asks the completion system of an interactive zsh, which needs a terminal: one of zsh's own. */
function askZsh(line: string): readonly string[] {
  const offered = join(home, "offered");
  writeFileSync(offered, "");
  run("zsh", ["-f", join(home, "terminal.zsh")], { LINE: line, OFFERED: offered });
  return sorted(readFileSync(offered, "utf8"));
}

function askFish(line: string): readonly string[] {
  return sorted(run("fish", ["-c", "complete -C $argv[1]", line]));
}

/** Puts \$LINE where a line is typed, completes it, and writes down what is offered for it. */
function zshrc(setUp: string): string {
  return `
    ${setUp}
    compadd() {
      local -a offered
      builtin compadd -O offered "$@"
      print -rl -- $offered >>| $OFFERED
      builtin compadd "$@"
    }
    complete_line() { BUFFER=$LINE; CURSOR=$#BUFFER; zle complete-word; exit }
    zle -N zle-line-init complete_line
  `;
}

const terminal = `
  zmodload zsh/zpty
  zpty shell zsh -d -i
  while zpty -r shell line; do :; done
`;

function run(program: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}): string {
  return execFileSync(program, args, {
    cwd: join(home, "here"),
    encoding: "utf8",
    timeout: 15_000,
    env: {
      ...{ HOME: home, ZDOTDIR: home, XDG_CONFIG_HOME: join(home, ".config"), TERM: "xterm", LC_ALL: "C.UTF-8" },
      PATH: `${join(home, "bin")}:${dirname(process.execPath)}:${process.env.PATH ?? ""}`,
      ...environment,
    },
  });
}

/** fish describes what it offers behind a tab; zsh tries some of it twice. */
function sorted(lines: string): readonly string[] {
  const offered = lines.split("\n").filter(Boolean);
  return [...new Set(offered.map((line) => line.split("\t")[0] ?? ""))].sort();
}
