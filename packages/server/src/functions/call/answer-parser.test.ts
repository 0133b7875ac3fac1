import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AnswerParser } from "./answer-parser.ts";

interface Read {
  /** Heads, ends and refusals in order; `body` is what the bodies add up to. */
  readonly events: string[];
  body: string;
}

/** What the parser tells of bytes that come in the given pieces. */
function read(pieces: readonly Buffer[]): Read {
  const result: Read = { events: [], body: "" };
  const parser = new AnswerParser({
    onHead: (head) =>
      result.events.push(`head ${head.status} ${head.keepsAlive ? "keep" : "close"} ${head.headers.join("|")}`),
    onBody: (bytes) => {
      result.body += bytes.toString("latin1");
    },
    onEnd: () => result.events.push("end"),
    onExcess: () => result.events.push("excess"),
    onBroken: (broken) => result.events.push(`broken ${broken.kind}`),
  });
  parser.expectAnswer();
  for (const piece of pieces) parser.push(piece);
  if (parser.isReading) result.events.push("unfinished");
  return result;
}

function readWhole(text: string): Read {
  return read([Buffer.from(text, "latin1")]);
}

const ok = "HTTP/1.1 200 OK\r\n";

describe("an answer of known length", () => {
  it("is read to its last byte", () => {
    expect(readWhole(`${ok}Content-Length: 5\r\nX-A:  b \r\n\r\nhello`)).toEqual({
      events: ["head 200 keep Content-Length|5|X-A|b", "end"],
      body: "hello",
    });
  });

  it("may be empty", () => {
    expect(readWhole(`${ok}Content-Length: 0\r\n\r\n`).events).toEqual(["head 200 keep Content-Length|0", "end"]);
  });

  it("is unfinished while bytes are missing", () => {
    expect(readWhole(`${ok}Content-Length: 5\r\n\r\nhell`).events.at(-1)).toBe("unfinished");
  });

  it("is followed by nothing", () => {
    expect(readWhole(`${ok}Content-Length: 1\r\n\r\nab`).events.slice(1)).toEqual(["end", "excess"]);
  });
});

describe("a chunked answer", () => {
  it("is read over its chunks, extensions and trailers", () => {
    const answer = readWhole(
      `${ok}Transfer-Encoding: chunked\r\n\r\n4;a=b\r\nhell\r\n1\r\no\r\n0\r\nX-Trailer: dropped\r\n\r\n`,
    );
    expect(answer).toEqual({ events: ["head 200 keep Transfer-Encoding|chunked", "end"], body: "hello" });
  });

  it.each([
    ["0x prefix", "0x4\r\nhell\r\n0\r\n\r\n"],
    ["plus", "+4\r\nhell\r\n0\r\n\r\n"],
    ["underscore", "1_0\r\n"],
    ["too many digits", "10000000000000\r\n"],
    ["no size", "\r\n"],
    ["white space after the size", "4 \r\nhell\r\n0\r\n\r\n"],
    ["bare LF after the size", "4\nhell\r\n0\r\n\r\n"],
    ["more than the size", "4\r\nhello\r\n0\r\n\r\n"],
    ["an endless extension", `4;${"x".repeat(300)}\r\nhell\r\n0\r\n\r\n`],
    ["a trailer without a name", "0\r\nno colon\r\n\r\n"],
  ])("is broken by %s", (_name, body) => {
    expect(readWhole(`${ok}Transfer-Encoding: chunked\r\n\r\n${body}`).events.at(-1)).toBe("broken malformed");
  });

  it("may not have endless trailers", () => {
    const trailers = "X-Trailer: value\r\n".repeat(5_000);
    const answer = readWhole(`${ok}Transfer-Encoding: chunked\r\n\r\n0\r\n${trailers}\r\n`);
    expect(answer.events.at(-1)).toBe("broken header-too-large");
  });
});

describe("a head", () => {
  it.each([
    ["both framings", `${ok}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`],
    ["no framing", `${ok}X-A: b\r\n\r\n`],
    ["two lengths, equal ones too", `${ok}Content-Length: 1\r\nContent-Length: 1\r\n\r\na`],
    ["a list of lengths", `${ok}Content-Length: 1, 1\r\n\r\na`],
    ["a signed length", `${ok}Content-Length: +1\r\n\r\na`],
    ["a length beyond exact numbers", `${ok}Content-Length: 9999999999999999\r\n\r\na`],
    ["another transfer coding", `${ok}Transfer-Encoding: gzip, chunked\r\n\r\n`],
    ["chunked before HTTP/1.1", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["a folded line", `${ok}X-A: b\r\n c\r\nContent-Length: 0\r\n\r\n`],
    ["a space before the colon", `${ok}X-A : b\r\nContent-Length: 0\r\n\r\n`],
    ["an empty name", `${ok}: b\r\nContent-Length: 0\r\n\r\n`],
    ["a NUL", `${ok}X-A: \0\r\nContent-Length: 0\r\n\r\n`],
    ["a bare CR", `${ok}X-A: b\rX-B: c\r\nContent-Length: 0\r\n\r\n`],
    ["a bare LF", `${ok}X-A: b\nContent-Length: 0\r\n\r\n`],
    ["LF line ends throughout", "HTTP/1.1 200 OK\nContent-Length: 0\n\n"],
    ["another protocol", "HTTP/2 200\r\n\r\n"],
    ["no protocol at all", "garbage\r\n\r\n"],
    ["garbage that never ends", "garbage"],
    ["a status of two digits", "HTTP/1.1 99 Odd\r\nContent-Length: 0\r\n\r\n"],
    ["a status of four digits", "HTTP/1.1 1000 Odd\r\nContent-Length: 0\r\n\r\n"],
    ["a switch of protocols", "HTTP/1.1 101 Switching Protocols\r\n\r\n"],
  ])("is broken by %s", (_name, text) => {
    expect(readWhole(text).events.at(-1)).toBe("broken malformed");
  });

  it("is too large beyond 64 KiB, complete or not", () => {
    const huge = `X-A: ${"a".repeat(65 * 1024)}\r\n`;
    expect(readWhole(`${ok}${huge}`).events).toEqual(["broken header-too-large"]);
    expect(readWhole(`${ok}${huge}Content-Length: 0\r\n\r\n`).events).toEqual(["broken header-too-large"]);
  });

  it("follows any number of interim answers", () => {
    const interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    expect(readWhole(`${interim}${ok}Content-Length: 0\r\n\r\n`).events).toEqual([
      "head 200 keep Content-Length|0",
      "end",
    ]);
  });

  it("says whether the connection is kept", () => {
    expect(readWhole(`${ok}Connection: x, Close\r\nContent-Length: 0\r\n\r\n`).events[0]).toContain("head 200 close");
    expect(readWhole("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n").events[0]).toContain("head 200 close");
  });
});

describe("any answer", () => {
  const text = fc.string({ unit: fc.constantFrom(..."ab:;\r\n0123fF \t") });
  const answers = fc.oneof(
    fc.string({ maxLength: 40 }).map((body) => {
      const bytes = Buffer.from(body, "utf8");
      return Buffer.concat([Buffer.from(`${ok}Content-Length: ${bytes.length}\r\n\r\n`), bytes]);
    }),
    fc.array(fc.string({ minLength: 1, maxLength: 20 }), { maxLength: 5 }).map((chunks) => {
      const parts = chunks.map((chunk) => {
        const bytes = Buffer.from(chunk, "utf8");
        return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]);
      });
      return Buffer.concat([
        Buffer.from(`${ok}Transfer-Encoding: chunked\r\n\r\n`),
        ...parts,
        Buffer.from("0\r\n\r\n"),
      ]);
    }),
    text.map((noise) => Buffer.from(`${ok}Transfer-Encoding: chunked\r\n\r\n${noise}`)),
    text.map((noise) => Buffer.from(`${ok}Content-Length: 3\r\n${noise}\r\n\r\nabc`)),
    text.map((noise) => Buffer.from(`HTTP/1.1 ${noise}\r\n\r\n`)),
    fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
  );

  it("reads the same wherever it is cut", () => {
    fc.assert(
      fc.property(answers, fc.array(fc.nat({ max: 200 }), { maxLength: 8 }), (answer, cuts) => {
        const whole = read([answer]);
        const positions = [0, ...cuts.filter((cut) => cut < answer.length).sort((a, b) => a - b), answer.length];
        const pieces = positions.slice(1).map((end, index) => answer.subarray(positions[index], end));
        expect(read(pieces)).toEqual(whole);
        expect(read([...answer].map((byte) => Buffer.from([byte])))).toEqual(whole);
      }),
      { numRuns: 2_000 },
    );
  });
});
