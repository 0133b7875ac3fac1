import { execFileSync } from "node:child_process";
import { cp, readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { installMsMax, requireToolchains } from "../../../../../scripts/toolchains.ts";
import { type DeployHarness, startDeployHarness } from "../../testing/deploy-harness.ts";
import { runBundle, runStdioBundle } from "../../testing/run-bundle.ts";

let harness: DeployHarness;
beforeAll(async () => {
  requireToolchains("go", "python3");
  harness = await startDeployHarness({ GOFLAGS: "", GOPROXY: "off" });
}, installMsMax);
afterAll(() => harness[Symbol.asyncDispose]());

const functionFile = "schema_version: 20180708\nname: one\nruntime: go1.24\nformat: stdio\nentrypoint: ./func\n";
/** Go compiles its standard library at its first use on a machine. */
const slowMs = 180_000;

describe("a Go function", () => {
  it(
    "made by init is one static program that answers, survives a failure, and is the same bytes elsewhere",
    async () => {
      const folder = await harness.freshFolder();
      await harness.chaya(folder, "init", "--runtime", "go", "hello");
      expect((await readdir(join(folder, "hello"))).sort()).toEqual(["func.go", "func.yaml", "go.mod", "listener.go"]);
      const image = await harness.deploy(join(folder, "hello"));
      expect(execFileSync("go", ["fmt"], { cwd: join(folder, "hello"), encoding: "utf8" })).toBe("");
      const other = await harness.freshFolder();
      await cp(join(folder, "hello"), join(other, "deeper/hello"), { recursive: true });
      expect(await harness.deploy(join(other, "deeper/hello"))).toBe(image);
      await using running = await runBundle(harness.bundle(image));
      expect(running.manifest).toEqual({ formatVersion: 1, runtime: "go", entrypoint: ["./func"] });
      expect((await readdir(running.directory)).sort()).toEqual([".chaya", "func", "func.yaml"]);
      expect(
        execFileSync("sh", ["-c", "ldd func 2>&1 || true"], { cwd: running.directory, encoding: "utf8" }),
      ).toContain("not a dynamic");
      expect(await running.call('{"name":"Chaya"}')).toEqual({ status: 200, body: '{"message":"Hello Chaya"}\n' });
      expect((await running.call("no json", { isChunked: true })).status).toBe(502);
      expect((await running.call("")).body).toBe('{"message":"Hello World"}\n');
      await expect.poll(running.output).toContain("Greeting Chaya");
    },
    slowMs,
  );

  it(
    "takes its modules from vendor/ where there is one",
    async () => {
      const folder = await harness.freshFolder({
        "func.yaml": functionFile,
        "go.mod": "module func\n\ngo 1.19\n\nrequire example.com/greet v1.0.0\n",
        "func.go": 'package main\n\nimport "example.com/greet"\n\nfunc main() { print(greet.Word) }\n',
        "vendor/modules.txt": "# example.com/greet v1.0.0\n## explicit\nexample.com/greet\n",
        "vendor/example.com/greet/greet.go": 'package greet\n\nconst Word = "Howdy"\n',
      });
      expect((await runStdioBundle(harness.bundle(await harness.deploy(folder)), "")).err).toBe("Howdy");
    },
    slowMs,
  );

  it(
    "without go.sum, as fn init makes it, is completed from the module proxy and stays as it is",
    async () => {
      const proxy = await moduleProxy();
      await using online = await startDeployHarness({
        GOFLAGS: "-modcacherw",
        GOPROXY: `file://${proxy}`,
        GONOSUMDB: "*",
        GOMODCACHE: join(proxy, "cache"),
      });
      const folder = await online.freshFolder({
        "func.yaml": functionFile,
        "go.mod": "module func\n\ngo 1.19\n\nrequire example.com/greet v1.0.0\n",
        "func.go": 'package main\n\nimport "example.com/greet"\n\nfunc main() { print(greet.Word) }\n',
      });
      expect((await runStdioBundle(online.bundle(await online.deploy(folder)), "")).err).toBe("Hello");
      expect((await readdir(folder)).sort()).toEqual(["func.go", "func.yaml", "go.mod"]);
    },
    slowMs,
  );

  it("that does not compile is not deployed, and the compiler's lines are shown", async () => {
    const folder = await harness.freshFolder({
      "func.yaml": functionFile,
      "go.mod": "module func\n\ngo 1.19\n",
      "func.go": "package main\n\nfunc main() {\n\tmissing()\n\talso()\n}\n",
    });
    const run = await harness.chaya(folder, "deploy", "--app", "demo");
    expect(run.code).toBe(1);
    expect(run.err).toMatch(/^chaya: go build failed: it ended with code \d\.\n/m);
    expect(run.err).toContain("\n  ./func.go:4:2: undefined: missing\n  ./func.go:5:2: undefined: also\n");
  });
});

/** A module proxy in a folder: https://go.dev/ref/mod#goproxy-protocol */
async function moduleProxy(): Promise<string> {
  const root = await harness.freshFolder({
    "example.com/greet/@v/list": "v1.0.0\n",
    "example.com/greet/@v/v1.0.0.info": '{"Version":"v1.0.0","Time":"2026-01-01T00:00:00Z"}',
    "example.com/greet/@v/v1.0.0.mod": "module example.com/greet\n",
    "files/example.com/greet@v1.0.0/go.mod": "module example.com/greet\n",
    "files/example.com/greet@v1.0.0/greet.go": 'package greet\n\nconst Word = "Hello"\n',
  });
  const files = ["go.mod", "greet.go"].map((file) => `example.com/greet@v1.0.0/${file}`);
  const script = "import sys, zipfile\nwith zipfile.ZipFile(sys.argv[1], 'w') as z: [z.write(f) for f in sys.argv[2:]]";
  const zip = join(root, "example.com/greet/@v/v1.0.0.zip");
  execFileSync("python3", ["-c", script, zip, ...files], { cwd: join(root, "files") });
  return root;
}
