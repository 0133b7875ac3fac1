import { createHash } from "node:crypto";
import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gunzipSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { type BundleEntry, packBundle } from "../../testing/pack-bundle.ts";
import { systemClock } from "../clock.ts";
import { ArchiveRefused, ArchiveThreads, inspectArchive, removeTree, unpackArchive } from "./index.ts";

const mebi = 1024 * 1024;
const limits = { entriesMax: 50, bytesMax: 64 * mebi, pathBytesMax: 200, ratioMax: 100 };
const never = new AbortController().signal;
type Entries = Parameters<typeof packBundle>[0];

const threads = new ArchiveThreads(systemClock());
afterAll(() => threads[Symbol.asyncDispose]());
let base: string;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "archive-"));
});
afterEach(() => removeTree(base));

async function unpack(bytes: Uint8Array, options: Partial<Parameters<typeof unpackArchive>[0]> = {}) {
  const directory = join(base, "out");
  await unpackArchive({ source: Readable.from([bytes]), directory, limits, threads, ...options }, never);
  return directory;
}

/** Why it is refused by both doors; checks that nothing is left behind. */
async function refusal(bytes: Uint8Array, options: Partial<Parameters<typeof unpackArchive>[0]> = {}) {
  const [refused, inspected] = await Promise.all([
    unpack(bytes, options).then(
      () => expect.fail("the archive was taken"),
      (error: unknown) => error,
    ),
    inspectArchive({ source: Readable.from([bytes]), limits, threads, ...options }, never).then(
      () => expect.fail("the inspection passed"),
      (error: unknown) => error,
    ),
  ]);
  expect(refused).toBeInstanceOf(ArchiveRefused);
  expect(inspected).toBeInstanceOf(ArchiveRefused);
  expect(String(inspected)).toBe(String(refused));
  expect(await readdir(base)).toEqual([]);
  return refused instanceof ArchiveRefused ? refused.refusal : expect.fail("unreachable");
}

const refusalOf = async (entries: Entries) => (await refusal((await packBundle(entries)).bytes)).reason;

describe("unpacking", () => {
  it("makes files, folders and inner links, read-only, with the execute bit and nothing else of the mode", async () => {
    const { bytes } = await packBundle([
      ["./", { type: "directory" }],
      ["./func.js", "code"],
      ["run/tool", { content: "#!/bin/sh\n", mode: 0o6777 }],
      ["run/link", { type: "symlink", linkname: "../func.js" }],
      ["empty/", { type: "directory" }],
    ]);
    const directory = await unpack(bytes);
    expect(await readFile(join(directory, "run/link"), "utf8")).toBe("code");
    expect(await readlink(join(directory, "run/link"))).toBe("../func.js");
    expect((await stat(join(directory, "func.js"))).mode & 0o7777).toBe(0o444);
    expect((await stat(join(directory, "run/tool"))).mode & 0o7777).toBe(0o555);
    for (const folder of [".", "run", "empty"]) expect((await stat(join(directory, folder))).mode & 0o7777).toBe(0o555);
    expect(await readdir(base)).toEqual(["out"]);
  });

  it("takes a path as well as a stream, and the SHA-256 that is announced", async () => {
    const { bytes, digest } = await packBundle({ "func.js": "code" });
    await writeFile(join(base, "in.tgz"), bytes);
    const summary = await inspectArchive({ source: join(base, "in.tgz"), limits, threads, sha256: digest }, never);
    expect(summary).toEqual({ entries: 1, bytes: 512 + 512 + 1024 });
  });

  it("keeps what is in the way and says so", async () => {
    const { bytes } = await packBundle({ "func.js": "new" });
    await mkdir(join(base, "out"));
    await writeFile(join(base, "out/kept"), "old");
    await expect(unpack(bytes)).rejects.toThrow();
    expect(await readdir(base)).toEqual(["out"]);
    expect(await readFile(join(base, "out/kept"), "utf8")).toBe("old");
  });

  it("takes long names of pax", async () => {
    const name = `${"a".repeat(90)}/${"é".repeat(40)}`;
    const directory = await unpack((await packBundle({ [name]: "code" })).bytes);
    expect(await readFile(join(directory, name), "utf8")).toBe("code");
  });

  it("passes the error of the source on and leaves nothing", async () => {
    const failure = new Error("the disk is gone");
    const source = new Readable({ read: () => source.destroy(failure) });
    await expect(unpackArchive({ source, directory: join(base, "out"), threads, limits }, never)).rejects.toBe(failure);
    expect(await readdir(base)).toEqual([]);
  });

  it("ends with the reason of an abort and leaves nothing", async () => {
    const source = new Readable({ read: () => {} });
    source.push((await packBundle({ "func.js": "x".repeat(100_000) })).bytes.subarray(0, 200));
    const controller = new AbortController();
    const unpacking = unpackArchive({ source, directory: join(base, "out"), threads, limits }, controller.signal);
    controller.abort(new Error("not needed any more"));
    await expect(unpacking).rejects.toThrow("not needed any more");
    expect(source.destroyed).toBe(true);
    expect(await readdir(base)).toEqual([]);
  });
});

describe("an archive is refused when it has", () => {
  const names: readonly (readonly [string, string, RegExp])[] = [
    ["a path upwards", "../out", /leads out/],
    ["a path upwards in the middle", "a/../../out", /leads out/],
    ["an absolute path", "/etc/passwd", /absolute/],
    ["a doubled slash", "a//b", /not a plain path/],
    ["a dot in the middle", "a/./b", /not a plain path/],
    ["a backslash", "a\\..\\b", /character that is not allowed/],
    ["a line feed in a name", "a\nb", /character that is not allowed/],
    ["U+0000 in a pax name", `é\u0000${"b".repeat(10)}`, /character that is not allowed/],
    ["a path that is too long", "abc/".repeat(60), /bytes of a path/],
    ["a name longer than a file system takes", "n".repeat(256), /bytes of/],
  ];
  it.each(names)("%s", async (_title, name, expected) => {
    expect(await refusalOf({ [name]: "x" })).toMatch(expected);
  });

  const lists: readonly (readonly [string, readonly (readonly [string, BundleEntry])[], RegExp])[] = [
    [
      "one name twice",
      [
        ["a", "1"],
        ["a", "2"],
      ],
      /'a' stands in it twice/,
    ],
    [
      "one name twice, written differently",
      [
        ["a", "1"],
        ["./a", "2"],
      ],
      /twice/,
    ],
    [
      "names that differ in case",
      [
        ["Readme", "1"],
        ["README", "2"],
      ],
      /differ only in case/,
    ],
    [
      "folders that differ in case",
      [
        ["Lib/a", "1"],
        ["lib/b", "2"],
      ],
      /differ only in case/,
    ],
    [
      "names that differ in Unicode form",
      [
        ["caf\u00e9", "1"],
        ["cafe\u0301", "2"],
      ],
      /differ only in case or Unicode/,
    ],
    [
      "a file below a file",
      [
        ["a", "1"],
        ["a/b", "2"],
      ],
      /below 'a', which is not a folder/,
    ],
    [
      "a folder where a file is",
      [
        ["a", "1"],
        ["a/", { type: "directory" }],
      ],
      /twice/,
    ],
    [
      "a file below a link",
      [
        ["d/", { type: "directory" }],
        ["l", { type: "symlink", linkname: "d" }],
        ["l/x", "1"],
      ],
      /below 'l'/,
    ],
    [
      "a hard link",
      [
        ["a", "1"],
        ["b", { type: "link", linkname: "a" }],
      ],
      /hard link/,
    ],
    ["a device", [["a", { type: "character-device", devmajor: 1, devminor: 3 }]], /character-device/],
    ["a block device", [["a", { type: "block-device", devmajor: 8 }]], /block-device/],
    ["a fifo", [["a", { type: "fifo" }]], /fifo/],
    ["an absolute link", [["a", { type: "symlink", linkname: "/etc/passwd" }]], /absolute path/],
    ["a link upwards", [["a/b", { type: "symlink", linkname: "../../x" }]], /points out of/],
    ["a link to nothing", [["a", { type: "symlink", linkname: "b" }]], /points at nothing/],
    ["a link to itself", [["a", { type: "symlink", linkname: "a" }]], /points at nothing/],
    // Taken by its words alone `d/e/x/..` stays inside; followed, x is the root and .. leaves it.
    [
      "a link that leaves through another link",
      [
        ["d/e/x", { type: "symlink", linkname: "../.." }],
        ["d/e/y", { type: "symlink", linkname: "x/.." }],
      ],
      /'d\/e\/y' points out of/,
    ],
    ["no file but a root that is one", [["./", { type: "symlink", linkname: "." }]], /root/],
  ];
  it.each(lists)("%s", async (_title, entries, expected) => {
    expect(await refusalOf(entries)).toMatch(expected);
  });

  it("content behind a folder's header", async () => {
    const { bytes } = await packBundle({ "d/": { type: "directory" } });
    const tar = gunzipSync(bytes);
    tar.write("00000001000 ", 124);
    expect((await refusal(gzipSync(withChecksum(tar)))).reason).toMatch(/no file but has content/);
  });

  it("a name that is not UTF-8", async () => {
    const tar = gunzipSync((await packBundle({ "a?b": "x" })).bytes);
    tar[1] = 0xff;
    expect((await refusal(gzipSync(withChecksum(tar)))).reason).toMatch(/character that is not allowed/);
  });

  it("GNU's sparse files and types nobody knows", async () => {
    const sparse = await packBundle({ a: { content: "x", pax: { "GNU.sparse.major": "1" } } as BundleEntry });
    expect((await refusal(sparse.bytes)).reason).toMatch(/sparse/);
    const tar = gunzipSync((await packBundle({ a: "" })).bytes);
    tar.write("S", 156);
    expect((await refusal(gzipSync(withChecksum(tar)))).reason).toMatch(/special file/);
  });

  it("a size in pax that is no size", async () => {
    const { bytes } = await packBundle({ a: { content: "x", pax: { size: "-1" } } as BundleEntry });
    expect((await refusal(bytes)).kind).toBe("invalid");
  });

  it("a pax name that replaces a harmless one", async () => {
    const { bytes } = await packBundle({ harmless: { content: "x", pax: { path: "../../evil" } } as BundleEntry });
    expect((await refusal(bytes)).reason).toMatch(/leads out/);
  });

  it("more entries than the limit, implied folders included", async () => {
    const many = Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`f${index}`, ""]));
    expect((await refusal((await packBundle(many)).bytes)).reason).toMatch(/number of entries may be at most 50/);
    expect(await refusalOf({ ["a/".repeat(60)]: { type: "directory" } })).toMatch(/number of entries/);
  });

  it("more bytes than the limit, at the moment it passes it", async () => {
    const { bytes } = await packBundle({ zeros: { content: Buffer.alloc(4 * mebi) } });
    const refused = await refusal(bytes, { limits: { ...limits, bytesMax: mebi } });
    expect(refused).toMatchObject({ kind: "too-large", what: "the unpacked bytes", max: mebi });
  });

  it("a ratio only a bomb has", async () => {
    const { bytes } = await packBundle({ zeros: { content: Buffer.alloc(40 * mebi) } });
    expect(await refusal(bytes)).toMatchObject({ kind: "too-large", what: "the ratio of unpacked to packed bytes" });
  });

  it("another SHA-256 than announced", async () => {
    const { bytes } = await packBundle({ a: "x" });
    const sha256 = createHash("sha256").update("other").digest("hex");
    expect(await refusal(bytes, { sha256 })).toMatchObject({ kind: "damaged" });
  });

  it("bytes after its end", async () => {
    const { bytes } = await packBundle({ a: "x" });
    const garbage = await refusal(Buffer.concat([bytes, Buffer.from("garbage")]));
    expect(garbage.reason).toMatch(/corrupt or truncated/);
    expect((await refusal(Buffer.concat([bytes, Buffer.alloc(100)]))).reason).toMatch(/after its end/);
  });

  it("no gzip, no tar, nothing, or no mark at its end", async () => {
    expect((await refusal(Buffer.from("not a gzip at all"))).reason).toMatch(/corrupt or truncated/);
    expect((await refusal(gzipSync(Buffer.alloc(2048, "x")))).reason).toMatch(/corrupt or truncated/);
    expect((await refusal(Buffer.alloc(0))).reason).toMatch(/truncated/);
    const tar = gunzipSync((await packBundle({ a: "x" })).bytes);
    expect((await refusal(gzipSync(tar.subarray(0, 1024)))).reason).toMatch(/truncated/);
  });

  it("been cut or changed anywhere", async () => {
    const { bytes, digest } = await packBundle({ "a/b": "content ".repeat(50), c: "more" });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: bytes.length - 1 }), fc.boolean(), async (at, cuts) => {
        const damaged = cuts ? bytes.subarray(0, at) : Buffer.from(bytes);
        if (!cuts) damaged[at] = (damaged[at] ?? 0) ^ 0x20;
        await expect(
          inspectArchive({ source: Readable.from([damaged]), limits, threads, sha256: digest }, never),
        ).rejects.toBeInstanceOf(ArchiveRefused);
      }),
      { numRuns: 25 },
    );
  });
});

describe("removing a tree", () => {
  it("takes read-only folders and links, not what the links point at", async () => {
    const { bytes } = await packBundle([
      ["a/b/c", "x"],
      ["l", { type: "symlink", linkname: "a" }],
    ]);
    await removeTree(await unpack(bytes));
    await removeTree(join(base, "never-there"));
    expect(await readdir(base)).toEqual([]);
    await expect(lstat(join(base, "out"))).rejects.toThrow("ENOENT");
  });
});

/** The tar with the checksum of its first header made right again. */
function withChecksum(tar: Buffer): Buffer {
  tar.fill(" ", 148, 156);
  const sum = tar.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  tar.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return tar;
}
