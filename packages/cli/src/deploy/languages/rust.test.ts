import { chmod, readdir, readFile, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { installMsMax, requireToolchains } from "../../../../../scripts/toolchains.ts";
import { type DeployHarness, startDeployHarness } from "../../testing/deploy-harness.ts";
import { runStdioBundle } from "../../testing/run-bundle.ts";

let harness: DeployHarness;
beforeAll(async () => {
  requireToolchains("cargo");
  harness = await startDeployHarness();
}, installMsMax);
afterAll(() => harness[Symbol.asyncDispose]());

const functionFile = "schema_version: 20180708\nname: one\nruntime: rust\nformat: stdio\n";
const slowMs = 120_000;

describe("a Rust function", () => {
  it(
    "made by init is one program that answers",
    async () => {
      const folder = await harness.freshFolder();
      await harness.chaya(folder, "init", "--runtime", "rust", "hello");
      expect((await readdir(join(folder, "hello"))).sort()).toEqual(["Cargo.toml", "func.yaml", "src"]);
      const bytes = harness.bundle(await harness.deploy(join(folder, "hello")));
      const answer = await runStdioBundle(bytes, "Chaya");
      expect(answer).toEqual({ code: 0, out: "Hello, Chaya!", err: "Greeting Chaya\n", entrypoint: ["./func"] });
      expect((await readdir(join(folder, "hello"))).sort()).not.toContain("target");
    },
    slowMs,
  );

  it(
    "of several programs is the one called func",
    async () => {
      const manifest = '[package]\nname = "tools"\nversion = "1.0.0"\nedition = "2021"\n';
      const folder = await harness.freshFolder({
        "func.yaml": functionFile,
        "Cargo.toml": manifest,
        "src/bin/other.rs": 'fn main() { print!("other") }',
        "src/bin/another.rs": 'fn main() { print!("another") }',
      });
      const run = await harness.chaya(folder, "deploy", "--app", "demo");
      expect(run.err).toMatch(/Cargo\.toml makes several programs: (another, other|other, another)\./);
      await writeFile(join(folder, "src/bin/func.rs"), 'fn main() { print!("func") }');
      expect((await runStdioBundle(harness.bundle(await harness.deploy(folder)), "")).out).toBe("func");
    },
    slowMs,
  );

  it("that does not compile is not deployed, and the compiler's lines are shown", async () => {
    const folder = await harness.freshFolder({
      "func.yaml": functionFile,
      "Cargo.toml": '[package]\nname = "func"\nversion = "1.0.0"\nedition = "2021"\n',
      "src/main.rs": "fn main() {\n    missing();\n}\n",
    });
    const run = await harness.chaya(folder, "deploy", "--app", "demo");
    expect(run.code).toBe(1);
    expect(run.err).toMatch(
      /^chaya: cargo build failed: it ended with code 101\.\n[\s\S]*\n {2} *--> src\/main\.rs:2:5\n/m,
    );
  });

  // No machine has it by default; what cargo is told is seen with other programs.
  it("is built for musl where its target is installed", async () => {
    const programs = await harness.freshFolder({
      rustc: `#!/bin/sh\ncase "$*" in *verbose*) echo "host: x86_64-unknown-linux-gnu";; *) echo /;; esac\n`,
      cargo: `#!/bin/sh\necho "$@" > said\necho '{"reason":"compiler-artifact","executable":"'$PWD'/said"}'\n`,
    });
    for (const name of ["rustc", "cargo"]) await chmod(join(programs, name), 0o755);
    await using other = await startDeployHarness({ PATH: [programs, process.env.PATH].join(delimiter) });
    const folder = await other.freshFolder({ "func.yaml": functionFile });
    await other.deploy(folder);
    const said = await readFile(join(folder, "said"), "utf8");
    expect(said).toContain(
      "build --release --message-format=json-render-diagnostics --target x86_64-unknown-linux-musl",
    );
  });
});
