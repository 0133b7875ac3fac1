import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import { CliError, usageError } from "../cli-error.ts";
import { localCommand } from "../command.ts";
import { runtimeNames } from "../deploy/function-runtime.ts";

export const initCommands = [
  localCommand({
    path: "init",
    summary: "Make the folder NAME with a function that works.",
    arguments: { NAME: { summary: "Name of the function and of the folder." } },
    flags: {
      runtime: { value: "RUNTIME", summary: `One of ${runtimeNames.join(", ")} (node).` },
      trigger: { value: "http", summary: "Adds an HTTP trigger at /NAME." },
    },
    examples: [
      "chaya init --runtime node --trigger http hello",
      "cd hello && chaya deploy --app demo",
      "chaya init --runtime python hello",
    ],
    run: async ({ terminal, arguments: { NAME }, flags }) => {
      const runtime = runtimeNames.find((known) => known === (flags.runtime ?? "node"));
      if (runtime === undefined)
        throw usageError(`The runtime '${flags.runtime}' is not known.`, `Known: ${runtimeNames.join(", ")}.`);
      if (flags.trigger !== undefined && flags.trigger !== "http") {
        throw usageError(`The trigger '${flags.trigger}' is not known.`, "Known: http.");
      }
      const folder = resolve(terminal.directory, NAME);
      const options = { name: functionName(NAME), runtime, hasTrigger: flags.trigger !== undefined };
      await makeFolder(folder, NAME);
      const { writeFreshFunction } = await import("../boilerplates/fresh-function.ts");
      const files = await writeFreshFunction(folder, options);
      terminal.stdout.write(
        `Made ${NAME} with ${files.join(", ")}.\nDeploy it with: cd ${NAME} && chaya deploy --app demo\n`,
      );
    },
  }),
];

/** Fn's rule for names in func.yaml, and what is a plain folder name everywhere. */
function functionName(name: string): string {
  if (/^[a-z0-9][a-z0-9._-]*$/.test(name)) return name;
  throw usageError(`'${name}' cannot be the name of a function.`, "Use lower-case letters, digits, '-', '_' and '.'.");
}

async function makeFolder(folder: string, name: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    const isThere = error instanceof Error && "code" in error && error.code === "EEXIST";
    const what = isThere
      ? `There is a '${name}' here already.`
      : `The folder '${name}' cannot be made: ${error instanceof Error ? error.message : error}`;
    throw new CliError({ what, hint: "Choose another name or another place." }, { cause: error });
  }
}
