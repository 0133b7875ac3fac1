import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ArchiveRefused } from "./archive-refused.ts";
import { ArchiveTree } from "./archive-tree.ts";

const limits = { entriesMax: 100, bytesMax: 1, pathBytesMax: 200, ratioMax: 1 };
const step = fc.constantFrom("a", "b", "..", ".", "l0", "l1", "l2");
const target = fc.array(step, { minLength: 1, maxLength: 5 }).map((steps) => steps.join("/"));
const place = fc.constantFrom("", "a/", "a/b/");

describe("following links", () => {
  it("comes out where a real file system does, whatever they point at", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(place, target), { minLength: 1, maxLength: 3 }), (links) => {
        const entries = links.map(([folder, to], index) => ({ path: `${folder}l${index}`, to }));
        expect(accepts(entries)).toBe(isInsideOnDisk(entries));
      }),
      { numRuns: 300 },
    );
  });
});

type Links = readonly { readonly path: string; readonly to: string }[];

function accepts(links: Links): boolean {
  const tree = new ArchiveTree(limits);
  const plain = { bytes: 0, mode: 0o644, linkTarget: undefined };
  tree.add({ ...plain, name: "a/b/", type: "directory" });
  tree.add({ ...plain, name: "b", type: "file" });
  for (const { path, to } of links) tree.add({ ...plain, name: path, type: "symlink", linkTarget: to });
  try {
    tree.checkLinks();
    return true;
  } catch (error) {
    if (error instanceof ArchiveRefused) return false;
    throw error;
  }
}

/** Every link resolves, and to the root or below it; outside of the root nothing of the same name waits. */
function isInsideOnDisk(links: Links): boolean {
  const base = realpathSync(mkdtempSync(join(tmpdir(), "links-")));
  const root = join(base, "outer/root");
  try {
    mkdirSync(join(root, "a/b"), { recursive: true });
    writeFileSync(join(root, "b"), "");
    for (const { path, to } of links) symlinkSync(to, join(root, path));
    return links.every(({ path, to }) => isInside(root, path, to));
  } finally {
    rmSync(base, { recursive: true });
  }
}

function isInside(root: string, path: string, to: string): boolean {
  // Every step on the way counts, not only where it ends: a way through the outside depends on where the root lies.
  let at = dirname(join(root, path));
  for (const part of to.split("/")) {
    try {
      at = realpathSync.native(`${at}/${part}`);
    } catch {
      return false;
    }
    if (at !== root && !at.startsWith(`${root}/`)) return false;
  }
  return true;
}
