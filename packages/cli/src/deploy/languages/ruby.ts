import { existsSync } from "node:fs";
import { copyFile, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { cachedBuild } from "../build-cache.ts";
import { folderFiles } from "../folder-files.ts";
import { runProgram } from "../run-program.ts";
import type { TarFile } from "../tar.ts";
import { type BuildLanguage, checkScript, commandOf, type LanguageSource } from "./language.ts";

const gemsDirectory = "vendor/bundle";
/** Read by Bundler where the function runs: nothing is written there, and nothing of the machine is taken. */
const bundlerConfig = `---\nBUNDLE_PATH: "${gemsDirectory}"\nBUNDLE_FROZEN: "true"\nBUNDLE_WITHOUT: "development:test"\n`;

/** Ruby's code as it is, with the gems of its Gemfile. */
export const ruby: BuildLanguage = async (source) => {
  const words = commandOf(source.functionFile, ["ruby", "func.rb"]);
  checkScript(source, words, ".rb");
  const files = await gems(source);
  // With gems, Bundler has to be there before the first require.
  const isSetUp = files.length > 0 && words[0] === "ruby";
  const entrypoint = isSetUp ? ["ruby", "-rbundler/setup", ...words.slice(1)] : words;
  return { files, entrypoint, ignored: ["/.bundle/", `/${gemsDirectory}/`] };
};

async function gems({ folder, terminal }: LanguageSource): Promise<readonly TarFile[]> {
  const gemfile = join(folder, "Gemfile");
  const text = existsSync(gemfile) ? await readFile(gemfile, "utf8") : "";
  if (!/^\s*(gem|gemspec|eval_gemfile)\b/m.test(text)) return [];
  const lock = join(folder, "Gemfile.lock");
  const lockText = existsSync(lock) ? await readFile(lock, "utf8") : undefined;
  const run = { what: "ruby", hint: "Is 'ruby' the Ruby that you mean?", environment: terminal.environment };
  const version = await runProgram(["ruby", "--version"], { ...run, folder });
  const built = await cachedBuild(terminal, {
    inputs: ["bundler", version, text, lockText ?? ""],
    what: "Installing gems (once per Gemfile)",
    make: async (staging) => {
      await copyFile(gemfile, join(staging, "Gemfile"));
      if (lockText !== undefined) await copyFile(lock, join(staging, "Gemfile.lock"));
      await mkdir(join(staging, ".bundle"));
      await runProgram(["bundle", "install", "--quiet"], {
        folder: staging,
        what: `bundle install for ${folder}`,
        hint: "Gems have to come from a source that is reached from here; a gem of a path cannot travel.",
        environment: {
          ...terminal.environment,
          BUNDLE_PATH: gemsDirectory,
          BUNDLE_SILENCE_ROOT_WARNING: "true",
          BUNDLE_WITHOUT: "development:test",
          BUNDLE_FROZEN: lockText === undefined ? "false" : "true",
          BUNDLE_GEMFILE: join(staging, "Gemfile"),
          BUNDLE_APP_CONFIG: join(staging, ".bundle"),
        },
      });
    },
  });
  const isIgnored = (path: string) => /^\.bundle$|^vendor\/bundle\/ruby\/[^/]+\/cache$/.test(path);
  const { files } = await folderFiles(built, { prefix: "", isIgnored, mayLeave: false });
  return [...files, { path: ".bundle/config", bytes: Buffer.from(bundlerConfig), isExecutable: false }];
}
