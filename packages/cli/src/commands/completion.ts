import { usageError } from "../cli-error.ts";
import { type Command, localCommand } from "../command.ts";

const shells = ["bash", "zsh", "fish"] as const;

/** Completion asks the program itself, so it never falls behind the commands. */
export function completionCommands(all: () => readonly Command[]): readonly Command[] {
  return [
    localCommand({
      path: "completion",
      summary: "Print a completion script for your shell.",
      arguments: { SHELL: { summary: "bash, zsh or fish." } },
      examples: [
        "source <(chaya completion bash)",
        "source <(chaya completion zsh)",
        "chaya completion fish > ~/.config/fish/completions/chaya.fish",
      ],
      run: async ({ terminal, arguments: { SHELL } }) => {
        const shell = shells.find((known) => known === SHELL);
        if (shell === undefined) throw usageError(`'${SHELL}' is not one of ${shells.join(", ")}.`);
        terminal.stdout.write(scripts[shell]);
      },
    }),
    localCommand({
      path: "complete",
      summary: "Print what may follow; completion scripts call this.",
      arguments: {
        WORDS: { summary: "The words so far, the unfinished one last.", isOptional: true, isRepeated: true },
      },
      run: async ({ terminal, arguments: { WORDS } }) => {
        terminal.stdout.write(
          candidates(all(), WORDS)
            .map((word) => `${word}\n`)
            .join(""),
        );
      },
    }),
  ];
}

/** What may stand in place of the last of `words`. */
export function candidates(all: readonly Command[], words: readonly string[]): string[] {
  const typed = words.at(-1) ?? "";
  const before = words.slice(0, -1);
  const known = all.filter((command) => command.path[0] !== "complete");
  const command = known.find(({ path }) => path.every((word, index) => before[index] === word));
  if (command !== undefined) {
    const flags = Object.entries(command.flags).filter(([, flag]) => flag.isHidden !== true);
    return ["help", ...flags.map(([name]) => name)].map((name) => `--${name}`).filter((flag) => flag.startsWith(typed));
  }
  const next = known.filter(({ path }) => before.every((word, index) => path[index] === word));
  const following = new Set(next.map(({ path }) => path[before.length] ?? ""));
  return [...following].filter((word) => word !== "" && word.startsWith(typed));
}

/** Files are offered where the program has nothing to say. What goes wrong in it must not disturb the line being typed. */
const scripts: Readonly<Record<(typeof shells)[number], string>> = {
  bash: `_chaya() {
  local IFS=$'\\n'
  COMPREPLY=($(chaya complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _chaya chaya
`,
  // Sourced, or named _chaya in a folder of $fpath. The words come as they were typed, quotes included.
  zsh: `#compdef chaya
_chaya() {
  local -a found
  found=(\${(f)"$(chaya complete -- "\${(@Q)words[2,CURRENT]}" 2>/dev/null)"})
  if (( \${#found} )); then compadd -a found; else _files; fi
}
if [[ \${funcstack[1]} == _chaya ]]; then
  _chaya "$@"
else
  (( \${+functions[compdef]} )) || { autoload -Uz compinit && compinit }
  compdef _chaya chaya
fi
`,
  fish: `function __chaya_complete
  set -l words (commandline -opc)
  set -l found (chaya complete -- $words[2..-1] (commandline -ct) 2>/dev/null)
  if set -q found[1]
    printf '%s\\n' $found
  else
    __fish_complete_path (commandline -ct)
  end
end
complete -c chaya -f -a "(__chaya_complete)"
`,
};
