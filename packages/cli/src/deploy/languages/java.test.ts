import { chmod, readdir, readFile, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { installMsMax, requireToolchains } from "../../../../../scripts/toolchains.ts";
import { type DeployHarness, startDeployHarness } from "../../testing/deploy-harness.ts";
import { runStdioBundle } from "../../testing/run-bundle.ts";

let harness: DeployHarness;
let programs: string;
beforeAll(async () => {
  requireToolchains("javac");
  const environment: Record<string, string> = {};
  harness = await startDeployHarness(environment);
  programs = await harness.freshFolder();
  environment.PATH = [programs, process.env.PATH].join(delimiter);
}, installMsMax);
afterAll(() => harness[Symbol.asyncDispose]());

const functionFile = "schema_version: 20180708\nname: one\nruntime: java17\nformat: stdio\n";
const slowMs = 60_000;

describe("a Java function", () => {
  it(
    "made by init is compiled by the JDK alone and answers",
    async () => {
      const folder = await harness.freshFolder();
      await harness.chaya(folder, "init", "--runtime", "java", "hello");
      expect((await readdir(join(folder, "hello"))).sort()).toEqual(["func.yaml", "pom.xml", "src"]);
      const image = await harness.deploy(join(folder, "hello"));
      const answer = await runStdioBundle(harness.bundle(image), "Chaya");
      expect(answer).toMatchObject({ code: 0, out: "Hello, Chaya!", err: "Greeting Chaya\n" });
      expect(answer.entrypoint.slice(-3)).toEqual(["-cp", "app:app/*", "com.example.fn.HelloFunction"]);
      expect(answer.entrypoint).toContain("-XX:MaxRAM=256m");
      expect((await readdir(join(folder, "hello"))).sort()).toEqual(["func.yaml", "pom.xml", "src"]);
      const classFile = "app/com/example/fn/HelloFunction.class";
      expect(harness.paths(image)).toEqual([".chaya/bundle.json", classFile, "func.yaml"]);
    },
    slowMs,
  );

  it(
    "takes its resources along",
    async () => {
      const folder = await harness.freshFolder({
        "func.yaml": `${functionFile}cmd: One x\n`,
        "src/main/java/One.java":
          'public class One { public static void main(String[] a) throws Exception { System.out.write(One.class.getResourceAsStream("/word.txt").readAllBytes()); System.out.print(a[0]); } }',
        "src/main/resources/word.txt": "Howdy ",
      });
      expect((await runStdioBundle(harness.bundle(await harness.deploy(folder)), "")).out).toBe("Howdy x");
    },
    slowMs,
  );

  // Maven's plugins come from the network only; what it is told and what is taken of it is seen with another program.
  it("with dependencies in its pom.xml is built by Maven, and travels as jars", async () => {
    const script =
      '#!/bin/sh\necho "$@" > said\nmkdir -p target/chaya-dependencies\nfor jar in one.jar original-one.jar one-sources.jar chaya-dependencies/dep.jar; do echo x > target/$jar; done\n';
    await writeFile(join(programs, "mvn"), script);
    await chmod(join(programs, "mvn"), 0o755);
    const folder = await harness.freshFolder({
      "func.yaml": `${functionFile}cmd: One\n`,
      "pom.xml": "<project><dependencies></dependencies></project>",
    });
    const paths = harness.paths(await harness.deploy(folder));
    expect(paths.filter((path) => path.startsWith("app/"))).toEqual(["app/dep.jar", "app/one.jar"]);
    expect(await readFile(join(folder, "said"), "utf8")).toMatch(
      /^--batch-mode --quiet package dependency:copy-dependencies .*-DincludeScope=runtime/,
    );
  });

  it.each([
    [
      "a method of Fn's FDK",
      "cmd: com.example.fn.HelloFunction::handleRequest\n",
      /native library.*images only[\s\S]*cmd: com\.example\.fn\.HelloFunction\n/,
    ],
    ["no class", "", /does not say which class/],
    ["a class and no source", "cmd: One\n", /There is no \.java file/],
  ])("is not deployed with %s", async (_name, more, message) => {
    const folder = await harness.freshFolder({ "func.yaml": functionFile + more });
    const run = await harness.chaya(folder, "deploy", "--app", "demo");
    expect(run.code).toBe(1);
    expect(run.err).toMatch(message);
  });

  it(
    "that does not compile is not deployed, and the compiler's lines are shown",
    async () => {
      const folder = await harness.freshFolder({
        "func.yaml": `${functionFile}cmd: One\n`,
        "src/main/java/One.java": "public class One {\n  int x = missing;\n}\n",
      });
      const run = await harness.chaya(folder, "deploy", "--app", "demo");
      expect(run.code).toBe(1);
      expect(run.err).toMatch(
        /^chaya: javac failed: .*\n {2}src\/main\/java\/One\.java:2: error: cannot find symbol\n/m,
      );
    },
    slowMs,
  );
});
