import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CodeBundler } from "./bundle-code.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "chaya-code-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

/** Bundles the entry, runs it beside its packages, and gives its format and what it printed. */
async function run(files: Readonly<Record<string, string>>, entry = "func.js"): Promise<readonly [string, string]> {
  write(files);
  await using bundler = new CodeBundler({ folder, entry, buildModules: undefined });
  const code = await bundler.bundle();
  for (const { path, bytes } of code.files) write({ [path]: Buffer.from(bytes).toString() });
  const output = execFileSync(process.execPath, ["--enable-source-maps", code.script], { cwd: folder, env: {} });
  return [code.format, output.toString()];
}

const external = {
  "node_modules/oci-x/package.json": `{"main":"x.js"}`,
  "node_modules/oci-x/x.js": "exports.__esModule = true; exports.named = 1;",
};

describe("a script made of an ES module", () => {
  it("is CommonJS that is strict and knows where it lies, as the module would", async () => {
    const facts = [
      "import.meta.filename === __filename && import.meta.dirname === __dirname",
      "import.meta.url.startsWith('file:///') && import.meta.main",
      "this === undefined && (function () { return this; })() === undefined",
      "typeof readFileSync",
    ];
    const files = {
      "func.js": `import { readFileSync } from "node:fs";\nimport { part } from "./part.js";\nconsole.log(part, ${facts.join(", ")});`,
      "part.js": "export const part = typeof import.meta.url;",
    };
    expect(await run(files)).toEqual(["cjs", "string true true true function\n"]);
  });

  it.each<[string, string, Readonly<Record<string, string>>]>([
    ["waits at its top level", "1", { "func.js": `console.log(await Promise.resolve(1));` }],
    [
      "imports one that waits",
      "2",
      { "func.mjs": `import { x } from "./x.mjs"; console.log(x);`, "x.mjs": "export const x = await 2;" },
    ],
    ["asks where others lie", "true", { "func.mjs": `console.log(import.meta.resolve("./x.js").endsWith("/x.js"));` }],
    [
      "imports packages that stay packages",
      "{ named: 1 }",
      {
        "func.mjs": `import x from "oci-x"; console.log({ ...x, __esModule: undefined }.named === 1 ? { named: 1 } : x);`,
        ...external,
      },
    ],
  ])("stays an ES module when it %s", async (_name, printed, files) => {
    const entry = Object.keys(files)[0] ?? "";
    expect(await run(files, entry)).toEqual(["esm", `${printed}\n`]);
  });

  it("may import packages that stay packages later on", async () => {
    const files = { "func.mjs": `import("oci-x").then((x) => console.log(x.named));`, ...external };
    expect(await run(files, "func.mjs")).toEqual(["cjs", "1\n"]);
  });
});

it("is CommonJS that is as sloppy as its source, for a CommonJS entry", async () => {
  const files = {
    "func.js": `undeclared = 1; console.log(require.main === module, typeof require("./part.cjs"), undeclared);`,
    "part.cjs": "",
  };
  expect(await run(files)).toEqual(["cjs", "true object 1\n"]);
});

it("names the lines of the source in stacks", async () => {
  const [, output] = await run(
    {
      "func.ts": `type A = 1;\n\ntry {\n  throw new Error("here");\n} catch (error) {\n  console.log((error as Error).stack);\n}\nexport {};`,
    },
    "func.ts",
  );
  expect(output).toMatch(/Error: here\n\s+at .*func\.ts:4:9/);
});

it("is made anew of what changed, in another format when the source needs one", async () => {
  write({ "func.js": `import { x } from "./x.js"; console.log(x);`, "x.js": "export const x = 1;" });
  await using bundler = new CodeBundler({ folder, entry: "func.js", buildModules: undefined });
  const first = await bundler.bundle();
  expect(first.inputs).toEqual([join(folder, "x.js"), join(folder, "func.js")]);
  write({ "x.js": "export const x = await 2;" });
  expect((await bundler.bundle()).format).toBe("esm");
  write({ "x.js": "export const x = ;" });
  await expect(bundler.bundle()).rejects.toThrow('The code cannot be bundled: x.js:1:18: Unexpected ";"');
  write({ "x.js": "export const x = 1;" });
  expect(await bundler.bundle()).toEqual(first);
});
