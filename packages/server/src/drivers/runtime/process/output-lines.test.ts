import { PassThrough } from "node:stream";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ManualClock } from "../../../testing/manual-clock.ts";
import type { OutputLine } from "../driver.ts";
import { LineSplitter } from "./output-lines.ts";
import { OutputReader } from "./output-reader.ts";

const mebi = 1024 * 1024;
const textOf = (line: OutputLine) => `${Buffer.from(line.bytes)}${line.isCut ? "…" : ""}`;

function splitInto(lines: OutputLine[], bytesMax = 10): LineSplitter {
  return new LineSplitter({ stream: "stdout", bytesMax, onLine: (line) => lines.push(line) });
}

describe("cutting output into lines", () => {
  it("gives the same lines however the bytes come in", () => {
    const piece = fc.constantFrom("a", "bc", "\n", "\r\n", "0123456789", "\r");
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 40 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 7 })),
        (pieces, sizes) => {
          const bytes = Buffer.from(pieces.join(""));
          const [whole, parts]: [OutputLine[], OutputLine[]] = [[], []];
          const [one, other] = [splitInto(whole), splitInto(parts)];
          one.push(bytes);
          one.flush();
          for (let at = 0; at < bytes.byteLength; ) {
            const size = sizes.next().value;
            other.push(bytes.subarray(at, at + size));
            at += size;
          }
          other.flush();
          expect(parts.map(textOf)).toEqual(whole.map(textOf));
          expect(whole.every((line) => line.bytes.byteLength <= 10)).toBe(true);
        },
      ),
    );
  });

  it("drops what a line has beyond the limit and marks it", () => {
    const lines: OutputLine[] = [];
    splitInto(lines).push(Buffer.from("0123456789\n01234567890\nshort\r\n\n"));
    expect(lines.map(textOf)).toEqual(["0123456789", "0123456789…", "short", ""]);
  });

  it("holds no more than a line of a gigabyte without a line feed", () => {
    const lines: OutputLine[] = [];
    const splitter = splitInto(lines, 16_384);
    const chunk = Buffer.alloc(64 * 1024, "x");
    const before = process.memoryUsage().arrayBuffers;
    for (let bytes = 0; bytes < 1024 * mebi; bytes += chunk.byteLength) splitter.push(chunk);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * mebi);
    splitter.push(Buffer.from("\nnext\n"));
    expect(lines.map((line) => [line.bytes.byteLength, line.isCut])).toEqual([
      [16_384, true],
      [4, false],
    ]);
  });

  it("gives out copies, so that a kept line keeps no chunk", () => {
    const lines: OutputLine[] = [];
    splitInto(lines).push(Buffer.alloc(64 * 1024, "a\n"));
    expect(new Set(lines.map((line) => line.bytes.buffer.byteLength))).toEqual(new Set([1]));
  });
});

describe("reading output", () => {
  function read() {
    const clock = new ManualClock();
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    let bytes = 0;
    const onLine = (line: OutputLine) => {
      bytes += line.bytes.byteLength + 1;
    };
    const reader = new OutputReader({ clock, stdout, stderr, onLine });
    return { clock, stdout, reader, bytes: () => bytes };
  }
  const chunk = Buffer.from(`${"x".repeat(1023)}\n`.repeat(64));

  it("holds a flood back at 16 MiB a second and loses nothing of it", async () => {
    const { clock, stdout, bytes } = read();
    const total = 24 * mebi;
    let written = 0;
    const write = () => {
      while (written < total) {
        written += chunk.byteLength;
        if (!stdout.write(chunk)) return void stdout.once("drain", write);
      }
      stdout.end();
    };
    write();
    const perWindow = [];
    for (let window = 0; window < 16; window++) {
      await clock.advance(0);
      for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
      perWindow.push(bytes());
      await clock.advance(125);
    }
    expect(perWindow[0]).toBeGreaterThanOrEqual(2 * mebi);
    expect(perWindow[0]).toBeLessThan(3 * mebi);
    expect(perWindow[7]).toBeLessThan(17 * mebi);
    expect(bytes()).toBe(total);
  });

  it("lets a flush see what is there although a flood is held back, without waiting for its end", async () => {
    const { stdout, reader, bytes } = read();
    const write = (): void => void (stdout.write(chunk) ? setImmediate(write) : stdout.once("drain", write));
    write();
    for (let turn = 0; turn < 500; turn++) await new Promise((resolve) => setImmediate(resolve));
    const before = bytes();
    await reader.flush();
    expect(bytes() - before).toBeGreaterThanOrEqual(mebi);
    // One window of the limit at most comes on top.
    expect(bytes() - before).toBeLessThan(4 * mebi);
    stdout.destroy();
  });
});
