import { chmod, readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type DeployHarness, startDeployHarness } from "../../testing/deploy-harness.ts";
import { runStdioBundle } from "../../testing/run-bundle.ts";

let harness: DeployHarness;
beforeAll(async () => {
  harness = await startDeployHarness();
});
afterAll(() => harness[Symbol.asyncDispose]());

const functionFile = "schema_version: 20180708\nname: one\nruntime: any\nformat: stdio\n";

describe("a function of any program", () => {
  it.each([
    ["bash", "func.sh", ["bash", "func.sh"]],
    ["any", "func", ["./func"]],
  ])("made by init for %s answers what its program prints", async (runtime, file, entrypoint) => {
    const folder = await harness.freshFolder();
    await harness.chaya(folder, "init", "--runtime", runtime, "--trigger", "http", "hello");
    expect((await readdir(join(folder, "hello"))).sort()).toEqual([file, "func.yaml"]);
    const bytes = harness.bundle(await harness.deploy(join(folder, "hello")));
    const answer = await runStdioBundle(bytes, "Chaya");
    expect(answer).toEqual({ code: 0, out: "Hello, Chaya!\n", err: "Greeting Chaya\n", entrypoint });
    expect((await runStdioBundle(bytes, "")).out).toBe("Hello, world!\n");
  });

  it("may be built by commands, and be given words with blanks as a list", async () => {
    const folder = await harness.freshFolder({
      "func.yaml": `${functionFile}build:\n- printf '#!/bin/sh\\necho "$2"' > made && chmod +x made\ncmd: [./made, a, two words]\n`,
    });
    expect((await runStdioBundle(harness.bundle(await harness.deploy(folder)), "")).out).toBe("two words\n");
  });

  it.each([
    ["names nothing to start", "", "does not say what to start"],
    ["names a program that is not there", "cmd: ./missing\n", "The program './missing' is not in"],
    ["names a folder", "cmd: ./folder\n", "The program './folder' is not in"],
    ["names a file that may not be executed", "cmd: /function/plain\n", "The program './plain' may not be executed"],
    ["names a script of bash that is not there", "runtime: bash\nentrypoint: bash other.sh\n", "'other.sh' is not in"],
  ])("is not deployed when it %s", async (_name, more, message) => {
    const folder = await harness.freshFolder({
      "func.yaml": `${more.includes("runtime") ? functionFile.replace("runtime: any\n", "") : functionFile}${more}`,
      plain: "",
      "folder/x": "",
    });
    await chmod(join(folder, "plain"), 0o644);
    const run = await harness.chaya(folder, "deploy", "--app", "demo");
    expect([run.code, run.err]).toEqual([1, expect.stringContaining(message)]);
  });
});
