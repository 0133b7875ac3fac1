import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { repository } from "./server-process.ts";

const mayInstall = process.getuid?.() === 0 && existsSync("/usr/bin/apt-get");

describe("what the tests need of Debian", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "chaya-debian-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("is looked for anew and then installed, by root on Debian; others are told to", () => {
    const { status, stderr, asked } = install("exit 0");
    if (!mayInstall)
      return expect({ status, stderr }).toMatchObject({ status: 1, stderr: /^Error: .* need a thing\. Install/m });
    expect([status, stderr]).toEqual([0, "Installing a thing from Debian (once) …\n"]);
    expect(asked).toEqual([
      "-o DPkg::Lock::Timeout=300 update -q",
      "-o DPkg::Lock::Timeout=300 install -y -q --no-install-recommends one two",
    ]);
  });

  it("that cannot be installed ends the tests with a sentence", () => {
    const { status, stderr } = install('echo "E: no network" >&2; exit 100');
    expect(status).toBe(1);
    if (mayInstall)
      expect(stderr).toMatch(
        /E: no network\n[\s\S]*Error: The tests need a thing, and apt-get could not install one, two/,
      );
  });

  /** With a program of ours in place of apt-get, which notes what it is asked. */
  function install(program: string): { status: number | null; stderr: string; asked: readonly string[] } {
    const [fake, notes] = [join(folder, "apt-get"), join(folder, "notes")];
    rmSync(notes, { force: true });
    writeFileSync(fake, `#!/bin/sh\necho "$*" >> ${notes}\n${program}\n`);
    chmodSync(fake, 0o755);
    const script = `import { installFromDebian } from "${join(repository, "scripts/debian.ts")}"; installFromDebian("a thing", ["one", "two"]);`;
    const run = spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
      encoding: "utf8",
      env: { ...process.env, PATH: `${folder}:${process.env.PATH}` },
    });
    return {
      ...{ status: run.status, stderr: run.stderr },
      asked: existsSync(notes) ? readFileSync(notes, "utf8").split("\n").filter(Boolean) : [],
    };
  }
});
