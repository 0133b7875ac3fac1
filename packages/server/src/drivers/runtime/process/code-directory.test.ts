import { chmod, mkdir, mkdtemp, readdir, readFile, readlink, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { removeTree } from "../../../kernel/archive/index.ts";
import { fillCodeDirectory } from "./code-directory.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "code-"));
  await mkdir(join(directory, "bundle/lib/deep"), { recursive: true });
  await writeFile(join(directory, "bundle/func.js"), "code");
  await writeFile(join(directory, "bundle/lib/deep/tool"), "tool");
  await chmod(join(directory, "bundle/lib/deep/tool"), 0o555);
  await symlink("deep/tool", join(directory, "bundle/lib/tool"));
});
afterEach(() => removeTree(directory));

describe("the code of an instance that was mounted before it was known", () => {
  const target = () => join(directory, "code");

  it("is the bundle's, without copies", async () => {
    await mkdir(target());
    await fillCodeDirectory(target(), join(directory, "bundle"));
    expect((await readdir(target(), { recursive: true })).sort()).toEqual([
      ...["func.js", "lib", "lib/deep", "lib/deep/tool", "lib/tool"],
    ]);
    const [made, given] = await Promise.all(["code", "bundle"].map((at) => stat(join(directory, at, "lib/deep/tool"))));
    expect([made?.ino, (made?.mode ?? 0) & 0o777]).toEqual([given?.ino, 0o555]);
    expect(await readlink(join(target(), "lib/tool"))).toBe("deep/tool");
  });

  it("is a copy on another file system", async () => {
    const elsewhere = await mkdtemp("/dev/shm/code-");
    try {
      await fillCodeDirectory(elsewhere, join(directory, "bundle"));
      expect(await readFile(join(elsewhere, "lib/deep/tool"), "utf8")).toBe("tool");
    } finally {
      await removeTree(elsewhere);
    }
  });

  it("lets other work go on while there is much of it", async () => {
    await Promise.all(Array.from({ length: 300 }, (_, index) => writeFile(join(directory, `bundle/${index}.js`), "")));
    await mkdir(target());
    let turns = 0;
    const count = () => {
      turns++;
      turning = setImmediate(count);
    };
    let turning = setImmediate(count);
    await fillCodeDirectory(target(), join(directory, "bundle"));
    clearImmediate(turning);
    expect((await readdir(target())).length).toBe(302);
    expect(turns).toBeGreaterThanOrEqual(4);
  });
});
