import { existsSync } from "node:fs";
import { copyFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { withProgress } from "../../progress.ts";
import { runProgram } from "../run-program.ts";
import { type BuildLanguage, commandOf, type LanguageSource } from "./language.ts";

/** One program of the folder's package, which needs nothing of the machine it runs on. */
export const go: BuildLanguage = async (source) => {
  const place = await mkdtemp(join(tmpdir(), "chaya-go-"));
  try {
    const building = build(source, place);
    await withProgress(source.terminal, "Compiling with go build", building);
    const bytes = await readFile(join(place, "func"));
    return {
      files: [{ path: "func", bytes, isExecutable: true }],
      entrypoint: commandOf(source.functionFile, ["./func"]),
      ignored: ["*.go", "go.mod", "go.sum", "go.work", "go.work.sum", "/vendor/"],
    };
  } finally {
    await rm(place, { recursive: true, force: true });
  }
};

async function build({ folder, terminal }: LanguageSource, place: string): Promise<void> {
  const { environment } = terminal;
  // The same bytes wherever the folder is, and whatever its version control says.
  const flags = ["-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", join(place, "func")];
  await runProgram(["go", "build", ...(await moduleFlags(folder, place)), ...flags, "."], {
    folder,
    what: "go build",
    hint: "Correct it and deploy again; modules come from the network unless they are in vendor/.",
    environment: { ...environment, CGO_ENABLED: environment.CGO_ENABLED ?? "0", GOOS: environment.GOOS ?? "linux" },
  });
}

/** `fn init` makes a go.mod without a go.sum: what is missing is completed in a copy, so the folder stays as it is. */
async function moduleFlags(folder: string, place: string): Promise<readonly string[]> {
  if (existsSync(join(folder, "vendor", "modules.txt"))) return ["-mod=vendor"];
  if (existsSync(join(folder, "go.sum")) || !existsSync(join(folder, "go.mod"))) return [];
  const copy = join(place, "go.mod");
  await copyFile(join(folder, "go.mod"), copy);
  return ["-mod=mod", `-modfile=${copy}`];
}
