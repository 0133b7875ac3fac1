import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type DeployHarness, startDeployHarness } from "../../testing/deploy-harness.ts";

let harness: DeployHarness;
beforeAll(async () => {
  harness = await startDeployHarness({ PATH: "/nowhere" });
});
afterAll(() => harness[Symbol.asyncDispose]());

describe("without its toolchain a function is not deployed, and Debian's package is named", () => {
  it.each([
    ["python", { "func.py": "", "requirements.txt": "x\n" }, "python3", "python3"],
    ["go", {}, "go", "golang-go"],
    ["java", { "A.java": "" }, "javac", "default-jdk-headless"],
    ["java", { "pom.xml": "<project><build></build></project>" }, "mvn", "maven"],
    ["ruby", { "func.rb": "", Gemfile: "gem 'x'\n" }, "ruby", "ruby"],
    ["rust", {}, "rustc", "rustc"],
  ])("for %s with %o", async (runtime, files, program, debianPackage) => {
    const cmd = runtime === "java" ? "cmd: A\n" : "";
    const functionFile = `schema_version: 20180708\nname: one\nruntime: ${runtime}\n${cmd}`;
    const folder = await harness.freshFolder({ "func.yaml": functionFile, ...files });
    const run = await harness.chaya(folder, "deploy", "--app", "demo");
    expect(run.code).toBe(1);
    expect(run.err).toContain(
      `chaya: The program '${program}' is not installed; this function cannot be built without it.\n`,
    );
    expect(run.err).toContain(`\n  On Debian: sudo apt-get install ${debianPackage}\n`);
  });

  it("for python without pip, which is a package of its own", async () => {
    const programs = await harness.freshFolder({
      python3: "#!/bin/sh\n[ $1 = -c ] || { echo '/usr/bin/python3: No module named pip' >&2; exit 1; }\n",
    });
    await chmod(join(programs, "python3"), 0o755);
    await using withPython = await startDeployHarness({ PATH: programs });
    const functionFile = "schema_version: 20180708\nname: one\nruntime: python\n";
    const folder = await withPython.freshFolder({
      "func.yaml": functionFile,
      "func.py": "",
      "requirements.txt": "x\n",
    });
    const { err } = await withPython.chaya(folder, "deploy", "--app", "demo");
    expect(err).toContain("chaya: The program 'pip' is not installed");
    expect(err).toContain("sudo apt-get install python3-pip\n");
  });
});
