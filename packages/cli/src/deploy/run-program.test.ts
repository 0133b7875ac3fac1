import { expect, it } from "vitest";
import { CliError, complaintText } from "../cli-error.ts";
import { runProgram } from "./run-program.ts";

async function failureOf(script: string): Promise<string> {
  const run = { folder: "/", what: "The compiler", hint: "Correct it.", environment: { PATH: process.env.PATH } };
  const error = await runProgram(["sh", "-c", script], run).catch((caught: unknown) => caught);
  if (!(error instanceof CliError)) throw error;
  return complaintText(error.complaint);
}

it("gives what a program prints to its standard output, and what it is given as environment only", async () => {
  const run = { folder: "/tmp", what: "It", hint: "", environment: { PATH: process.env.PATH, WORD: "hi" } };
  expect(await runProgram(["sh", "-c", 'echo "$WORD $(pwd) $HOME"; echo noise >&2'], run)).toBe("hi /tmp \n");
});

it("shows the lines of a program that fails as they are, without colours and without acting on the terminal", async () => {
  expect(await failureOf("printf '\\033[31mbad\\033[0m thing\\n\\tat line 1\\007\\n' >&2; exit 3")).toBe(
    "chaya: The compiler failed: it ended with code 3.\n  bad thing\n  \tat line 1\\x07\n  Correct it.\n",
  );
});

it("leaves out the middle of a long output", async () => {
  const shown = (await failureOf("seq 1 1000; exit 1")).split("\n");
  expect(shown.slice(0, 3)).toEqual(["chaya: The compiler failed: it ended with code 1.", "  1", "  2"]);
  expect(shown).toContain("  … 960 lines …");
  expect(shown.slice(-4)).toEqual(["  999", "  1000", "  Correct it.", ""]);
});

it("tells of a program that was killed", async () => {
  expect(await failureOf("kill -9 $$")).toContain("failed: it ended with SIGKILL.\n  Correct it.\n");
});
