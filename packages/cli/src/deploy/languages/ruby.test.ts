import { execFileSync } from "node:child_process";
import { cp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { installMsMax, requireToolchains } from "../../../../../scripts/toolchains.ts";
import { type DeployHarness, startDeployHarness } from "../../testing/deploy-harness.ts";
import { runStdioBundle } from "../../testing/run-bundle.ts";

let harness: DeployHarness;
beforeAll(async () => {
  requireToolchains("ruby", "bundle");
  harness = await startDeployHarness();
}, installMsMax);
afterAll(() => harness[Symbol.asyncDispose]());

const functionFile = "schema_version: 20180708\nname: one\nruntime: ruby3.3\nformat: stdio\nentrypoint: ruby func.rb\n";

/** A source of gems in a folder, with one gem. */
async function gemSource(): Promise<string> {
  const folder = await harness.freshFolder({
    "lib/greet.rb": "module Greet\n  WORD = 'Howdy'\nend\n",
    "greet.gemspec":
      "Gem::Specification.new { |s| s.name = 'greet'; s.version = '1.0'; s.summary = 'x'; s.authors = ['x']; s.files = ['lib/greet.rb'] }\n",
  });
  execFileSync("gem", ["build", "--quiet", "greet.gemspec", "--output", "greet-1.0.gem"], {
    cwd: folder,
    stdio: "pipe",
  });
  const source = await harness.freshFolder();
  await cp(join(folder, "greet-1.0.gem"), join(source, "gems/greet-1.0.gem"));
  execFileSync("gem", ["generate_index", "--directory", source], { stdio: "pipe" });
  return source;
}

describe("a Ruby function", () => {
  it("made by init answers without Bundler or a network, and fails with a code", async () => {
    const folder = await harness.freshFolder();
    await harness.chaya(folder, "init", "--runtime", "ruby", "hello");
    expect((await readdir(join(folder, "hello"))).sort()).toEqual(["Gemfile", "func.rb", "func.yaml"]);
    const bytes = harness.bundle(await harness.deploy(join(folder, "hello")));
    expect(await runStdioBundle(bytes, '{"name":"Chaya"}')).toMatchObject({
      code: 0,
      out: '{"message":"Hello Chaya"}',
      err: "Greeting Chaya\n",
    });
    expect(await runStdioBundle(bytes, "")).toMatchObject({ out: '{"message":"Hello World"}' });
    expect(await runStdioBundle(bytes, "no json")).toMatchObject({ code: 1, out: "" });
  });

  it("has its gems in the bundle, installed once per Gemfile", async () => {
    const source = await gemSource();
    const folder = await harness.freshFolder({
      "func.yaml": functionFile,
      Gemfile: `source "file://${source}"\ngem "greet"\n`,
      "func.rb": 'require "greet"\nprint Greet::WORD, " ", $stdin.read\n',
    });
    const first = await harness.deploy(folder);
    await rm(source, { recursive: true });
    expect(await harness.deploy(folder)).toBe(first);
    expect((await readdir(folder)).sort()).toEqual(["Gemfile", "func.rb", "func.yaml"]);
    expect(await runStdioBundle(harness.bundle(first), "Chaya")).toEqual({
      ...{ code: 0, out: "Howdy Chaya", err: "" },
      entrypoint: ["ruby", "-rbundler/setup", "func.rb"],
    });
  });

  it("whose gems cannot be had is not deployed, and Bundler's words are shown", async () => {
    const folder = await harness.freshFolder({
      "func.yaml": functionFile,
      Gemfile: 'source "file:///nowhere"\ngem "greet"\n',
      "func.rb": "",
    });
    const run = await harness.chaya(folder, "deploy", "--app", "demo");
    expect(run.code).toBe(1);
    expect(run.err).toMatch(/^chaya: bundle install for .* failed: it ended with code \d+\.\n {2}\S/m);
  });
});
