import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { repository, startServerProcess } from "./server-process.ts";

/** The commands of README.md below a marker `<!-- test: NAME -->`. */
function commandsOf(name: string): string {
  const readme = readFileSync(join(repository, "README.md"), "utf8");
  const block = new RegExp(`<!-- test: ${name} -->\\n\`\`\`sh\\n([^]*?)\`\`\``).exec(readme)?.[1];
  if (block === undefined) throw new Error(`README.md has no commands marked '${name}'`);
  return block;
}

it("runs the README's tour as it is written there", async () => {
  await using server = await startServerProcess();
  // Inside the repository, so that npx finds this checkout's chaya as it does for the reader.
  const folder = join(repository, ".test-services", "readme");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const tour = ["first function", "in your language"].map(commandsOf).join("");
  const script = `set -eu\n${tour.replaceAll("http://localhost:8080", server.url)}`;
  const output = execFileSync("bash", ["-c", script], {
    cwd: folder,
    env: { ...process.env, CHAYA_URL: server.url },
    encoding: "utf8",
  });
  rmSync(folder, { recursive: true, force: true });
  expect(output).toContain("Hello Chaya");
  expect(output).toMatch(/Hello world/i);
  for (const language of ["Hello TypeScript", "Hello Python", "Hello, bash!"]) expect(output).toContain(language);
}, 120_000);
