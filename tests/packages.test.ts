import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { repository, startServerProcess } from "./server-process.ts";

let directory = "";
let chaya = "";

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "chaya-packages-"));
  const tarballs = join(directory, "tarballs");
  execFileSync(process.execPath, [join(repository, "scripts/pack.ts"), tarballs], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const installed = join(directory, "installed");
  mkdirSync(installed);
  writeFileSync(join(installed, "package.json"), '{ "private": true, "allowScripts": { "node": true } }');
  const files = readdirSync(tarballs).map((name) => join(tarballs, name));
  execFileSync("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error", "--prefer-offline", ...files], {
    cwd: installed,
    stdio: ["ignore", "ignore", "inherit"],
  });
  chaya = join(installed, "node_modules/.bin/chaya");
}, 240_000);

afterAll(() => rmSync(directory, { recursive: true, force: true }));

it("starts, deploys and answers when installed from its packages in an empty directory", async () => {
  await using server = await startServerProcess({ command: [chaya] });
  const environment = { ...process.env, CHAYA_URL: server.url };
  const run = (args: readonly string[], input = "", cwd = directory) =>
    execFileSync(chaya, args, { cwd, env: environment, input, encoding: "utf8" });
  run(["init", "--runtime", "typescript", "--trigger", "http", "greet"]);
  run(["deploy", "--app", "packed"], "", join(directory, "greet"));
  expect(run(["invoke", "packed", "greet"], '{"name":"Chaya"}')).toContain("Chaya");
}, 60_000);
