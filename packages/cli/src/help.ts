import { type Command, usageLine } from "./command.ts";

/** Everything `chaya` can do, one line a command. */
export function overview(commands: readonly Command[]): string {
  const width = Math.max(...commands.map((command) => command.path.join(" ").length));
  const lines = commands.map((command) => `  ${command.path.join(" ").padEnd(width)}  ${command.summary}`);
  return [
    "chaya: the command line of the Chaya platform",
    "",
    "Usage: chaya COMMAND [ARGUMENTS] [--flags]",
    "",
    ...lines,
    "",
    "chaya COMMAND --help tells more.",
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no server answers.",
    "",
  ].join("\n");
}

/** All about one command. */
export function commandHelp(command: Command): string {
  const flags = Object.entries(command.flags).filter(([, flag]) => flag.isHidden !== true);
  return [
    command.summary,
    "",
    `Usage: ${usageLine(command)}${flags.length > 0 ? " [--flags]" : ""}`,
    ...section(
      "Arguments",
      Object.entries(command.arguments).map(([name, { summary }]) => [name, summary]),
    ),
    ...section(
      "Flags",
      flags.map(([name, flag]) => [flagUsage(name, flag), flag.summary]),
    ),
    ...(command.examples.length === 0 ? [] : ["", "Examples:", ...command.examples.map((example) => `  ${example}`)]),
    "",
  ].join("\n");
}

function flagUsage(name: string, flag: Command["flags"][string]): string {
  const short = flag.short === undefined ? "" : `-${flag.short}, `;
  const value = flag.value === undefined ? "" : ` ${flag.value}`;
  return `${short}--${name}${value}${flag.isRepeated ? " …" : ""}`;
}

function section(title: string, rows: readonly (readonly [string, string])[]): string[] {
  if (rows.length === 0) return [];
  const width = Math.max(...rows.map(([name]) => name.length));
  return ["", `${title}:`, ...rows.map(([name, summary]) => `  ${name.padEnd(width)}  ${summary}`)];
}
