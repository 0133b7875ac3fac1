import { execFileSync } from "node:child_process";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { installMsMax, requireToolchains } from "../../../../../scripts/toolchains.ts";
import { type DeployHarness, startDeployHarness } from "../../testing/deploy-harness.ts";
import { runBundle } from "../../testing/run-bundle.ts";

let harness: DeployHarness;
let wheels: string;
beforeAll(async () => {
  requireToolchains("python3", "pip3");
  harness = await startDeployHarness({ PIP_NO_INDEX: "1" });
  wheels = join(harness.root, "wheels");
  await mkdir(wheels);
}, installMsMax);
afterAll(() => harness[Symbol.asyncDispose]());

const functionFile = "schema_version: 20180708\nname: one\nruntime: python3.11\n";

/** Makes a wheel of one module, with a console script when `program` names its function. */
function makeWheel(name: string, module: string, program = ""): void {
  const script = `
import sys, zipfile
name, module, program, folder = sys.argv[1:]
info = f"{name}-1.0.dist-info"
with zipfile.ZipFile(f"{folder}/{name}-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr(f"{name}/__init__.py", module)
    wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\n")
    wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    if program:
        wheel.writestr(f"{info}/entry_points.txt", f"[console_scripts]\\n{name} = {name}:{program}\\n")
    wheel.writestr(f"{info}/RECORD", "")
`;
  execFileSync("python3", ["-c", script, name, module, program, wheels]);
}

describe("a Python function", () => {
  it("made by init answers with nothing but the standard library, also to chunked bodies, and survives a failure", async () => {
    const folder = await harness.freshFolder();
    expect((await harness.chaya(folder, "init", "--runtime", "python", "hello")).code).toBe(0);
    expect((await readdir(join(folder, "hello"))).sort()).toEqual([
      "func.py",
      "func.yaml",
      "listener.py",
      "requirements.txt",
    ]);
    await using running = await runBundle(harness.bundle(await harness.deploy(join(folder, "hello"))));
    expect(running.manifest).toEqual({ formatVersion: 1, runtime: "python", entrypoint: ["python3", "func.py"] });
    expect(await running.call('{"name":"Chaya"}')).toEqual({ status: 200, body: '{"message": "Hello Chaya"}' });
    expect(await running.call('{"name":"Chaya"}', { isChunked: true })).toMatchObject({
      body: '{"message": "Hello Chaya"}',
    });
    expect((await running.call("no json")).status).toBe(502);
    await expect.poll(running.output).toContain("JSONDecodeError");
    expect((await running.call("")).body).toBe('{"message": "Hello World"}');
  });

  it("has the packages of its requirements in the bundle, compiled, installed once per requirements.txt", async () => {
    makeWheel("left", "def pad(text):\n    return text.rjust(5, '.')\n");
    makeWheel("right", "def pad(text):\n    raise RuntimeError('cannot pad ' + text)\n");
    const folder = await harness.freshFolder({
      "func.yaml": functionFile,
      "requirements.txt": `# what it needs\n--find-links ${wheels}\nleft==1.0  # the first\n-r more/others.txt\n`,
      "more/others.txt": "right\n",
      "func.py":
        "import json, left, right, listener\ndef handler(ctx, data):\n    text = data.read().decode()\n    return right.pad(text) if text == 'x' else left.pad(text)\nlistener.serve(handler)\n",
      "__pycache__/func.cpython-311.pyc": "old",
    });
    const fresh = await harness.freshFolder();
    await harness.chaya(fresh, "init", "--runtime", "python", "hello");
    execFileSync("cp", [join(fresh, "hello/listener.py"), folder]);
    const first = await harness.deploy(folder);
    await rm(wheels, { recursive: true });
    await mkdir(wheels);
    expect(await harness.deploy(folder)).toBe(first);
    await using running = await runBundle(harness.bundle(first));
    expect((await running.call("abc")).body).toBe("..abc");
    await running.call("x");
    await expect
      .poll(running.output)
      .toMatch(/\/code\/\.chaya\/python\/right\/__init__\.py", line 2, in pad\n\s+raise/);
    const paths = harness.paths(first);
    expect(paths).toContainEqual(expect.stringMatching(/^\.chaya\/python\/left\/__pycache__\/__init__\.\S+\.pyc$/));
    expect(paths).not.toContainEqual(expect.stringMatching(/^__pycache__/));
  });

  it("in the form of Fn's FDK is started by the fdk that its requirements bring", async () => {
    const fresh = await harness.freshFolder();
    await harness.chaya(fresh, "init", "--runtime", "python", "hello");
    const listener = execFileSync("cat", [join(fresh, "hello/listener.py")], { encoding: "utf8" });
    const main = `
def main():
    import importlib.util, sys
    spec = importlib.util.spec_from_file_location("func", sys.argv[1])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    serve(getattr(module, sys.argv[2]))
`;
    makeWheel("fdk", listener + main, "main");
    const files = {
      "func.yaml": `${functionFile}build_image: fnproject/python:3.11-dev\nrun_image: fnproject/python:3.11\nentrypoint: /python/bin/fdk /function/func.py handler\nmemory: 256\n`,
      "func.py":
        "import io\nimport fdk\n\ndef handler(ctx, data: io.BytesIO = None):\n    return 'fdk says ' + data.read().decode()\n",
    };
    const folder = await harness.freshFolder({ ...files, "requirements.txt": `--find-links ${wheels}\nfdk>=1.0\n` });
    await using running = await runBundle(harness.bundle(await harness.deploy(folder)));
    expect(running.manifest.entrypoint).toEqual(["/python/bin/fdk", "func.py", "handler"]);
    expect((await running.call("hi")).body).toBe("fdk says hi");
    const without = await harness.freshFolder({ ...files, "requirements.txt": "" });
    const run = await harness.chaya(without, "deploy", "--app", "demo");
    expect([run.code, run.err]).toEqual([1, expect.stringContaining("'fdk', which requirements.txt does not install")]);
  });

  it("sees a package that lies in a folder change", async () => {
    const folder = await harness.freshFolder({
      "func.yaml": `${functionFile}format: stdio\n`,
      "requirements.txt": `${wheels}/part-1.0-py3-none-any.whl\n`,
      "func.py": "import part; print(part.word)\n",
    });
    makeWheel("part", "word = 'one'\n");
    const before = await harness.deploy(folder);
    makeWheel("part", "word = 'two'\n");
    const image = await harness.deploy(folder);
    expect(image).not.toBe(before);
    const text = execFileSync("tar", ["-xzOf", "-", ".chaya/python/part/__init__.py"], {
      input: harness.bundle(image),
      encoding: "utf8",
    });
    expect(text).toBe("word = 'two'\n");
  });

  it("whose packages cannot be had is not deployed, and pip's words are shown", async () => {
    const folder = await harness.freshFolder({
      "func.yaml": functionFile,
      "func.py": "",
      "requirements.txt": "no-such-package\n",
    });
    const run = await harness.chaya(folder, "deploy", "--app", "demo");
    expect(run.code).toBe(1);
    expect(run.err).toMatch(
      /^chaya: pip install for .* failed: it ended with code 1\.\n {2}ERROR: Could not find a version/m,
    );
    expect(run.err).toContain("\n  pip has to reach a package index; PIP_INDEX_URL");
  });

  it("whose entry file is missing is not deployed", async () => {
    const folder = await harness.freshFolder({ "func.yaml": `${functionFile}entrypoint: python3 /function/main.py\n` });
    const run = await harness.chaya(folder, "deploy", "--app", "demo");
    expect([run.code, run.err]).toEqual([1, expect.stringContaining("The entry file 'main.py' is not in")]);
  });
});
