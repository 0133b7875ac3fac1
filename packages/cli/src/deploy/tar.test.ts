import { execFileSync } from "node:child_process";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { gzippedTar } from "./tar.ts";

const file = (path: string, text = "x") => ({ path, bytes: Buffer.from(text), isExecutable: false });
const list = (bytes: Uint8Array) =>
  execFileSync("tar", ["-tzf", "-", "--quoting-style=literal"], { input: bytes }).toString().trim().split("\n");

describe("a gzipped tar", () => {
  it("is the same whatever the order of the files, and carries no time", () => {
    const files = [file("b"), file("a/c"), file("a/b")];
    const bytes = gzippedTar(files);
    expect(gzippedTar(files.toReversed())).toEqual(bytes);
    expect(list(bytes)).toEqual(["a/b", "a/c", "b"]);
    expect([...bytes.subarray(0, 10)]).toEqual([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255]);
    expect(gunzipSync(bytes).subarray(136, 147).toString()).toBe("00000000000");
  });

  it("holds names of every length as other tools read them", () => {
    const segment = fc.stringMatching(/^[a-zé写0-9-]{1,60}$/u);
    const path = fc.array(segment, { minLength: 1, maxLength: 12 }).map((parts) => parts.join("/"));
    fc.assert(
      fc.property(path, (name) => {
        expect(list(gzippedTar([file(name)]))).toEqual([name]);
      }),
      { numRuns: 40 },
    );
  });

  it.each([99, 100, 101, 154, 155, 156, 255, 256, 257, 1024])("holds a name of %i bytes", (length) => {
    const name = `${"d/".repeat(20)}${"n".repeat(length - 40)}`;
    expect(list(gzippedTar([file(name)]))).toEqual([name]);
  });
});
