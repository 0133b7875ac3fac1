import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exchangeRaw, RawClient } from "../../testing/raw-http.ts";
import { dataDoor, echo, startTestFront, type TestFront } from "../../testing/test-front.ts";

let front: TestFront;
beforeAll(async () => {
  front = await startTestFront([dataDoor("/t/{app}/{source...}", echo)]);
});
afterAll(() => front[Symbol.asyncDispose]());

const post = (headers: string, body = "") => `POST /t/a/b HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n${body}`;
const chunked = (body: string) => post("Transfer-Encoding: chunked\r\n", body);
const get = (headers: string) => `GET /t/a/b HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`;
const noChunks = "0\r\n\r\n";

const refused: Record<string, readonly [status: number, request: string]> = {
  "Content-Length and Transfer-Encoding": [400, post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", noChunks)],
  "Transfer-Encoding and Content-Length": [400, post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", noChunks)],
  "two different Content-Lengths": [400, post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello")],
  "two equal Content-Lengths": [400, post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello")],
  "a list of Content-Lengths": [400, post("Content-Length: 5, 5\r\n", "hello")],
  "a signed Content-Length": [400, post("Content-Length: +5\r\n", "hello")],
  "an empty Content-Length": [400, post("Content-Length: \r\n", "hello")],
  "a Content-Length beyond 64 bits": [400, post("Content-Length: 18446744073709551621\r\n", "hello")],
  "Transfer-Encoding: xchunked": [400, post("Transfer-Encoding: xchunked\r\n", noChunks)],
  "Transfer-Encoding: chunked, identity": [400, post("Transfer-Encoding: chunked, identity\r\n", noChunks)],
  "Transfer-Encoding: identity, chunked": [400, post("Transfer-Encoding: identity, chunked\r\n", noChunks)],
  "Transfer-Encoding: gzip, chunked": [400, post("Transfer-Encoding: gzip, chunked\r\n", noChunks)],
  "Transfer-Encoding twice": [400, post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", noChunks)],
  "Transfer-Encoding: identity, then chunked": [
    400,
    post("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", noChunks),
  ],
  "a vertical tab before chunked": [400, post("Transfer-Encoding: \x0bchunked\r\n", noChunks)],
  "Transfer-Encoding in HTTP/1.0": [
    400,
    `POST /t/a/b HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n${noChunks}`,
  ],
  "a bare LF after the request line": [400, "GET /t/a/b HTTP/1.1\nHost: localhost\r\n\r\n"],
  "a bare LF after a header": [400, "GET /t/a/b HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n"],
  "a bare LF as the last line": [400, "GET /t/a/b HTTP/1.1\r\nHost: localhost\r\n\n"],
  "a bare CR in a value": [400, get("X: a\rb\r\n")],
  "a bare CR in a name": [400, get("X\r: a\r\n")],
  "a folded header": [400, get("X: a\r\n b\r\n")],
  "a folded Transfer-Encoding": [400, post("Transfer-Encoding:\r\n chunked\r\n", noChunks)],
  "a chunk size with 0x": [400, chunked("0x5\r\nhello\r\n0\r\n\r\n")],
  "a chunk size with +": [400, chunked("+5\r\nhello\r\n0\r\n\r\n")],
  "a chunk size with _": [400, chunked("1_0\r\nhello\r\n0\r\n\r\n")],
  "a chunk size with a space": [400, chunked("5 \r\nhello\r\n0\r\n\r\n")],
  "an empty chunk size": [400, chunked("\r\nhello\r\n0\r\n\r\n")],
  "a chunk size beyond 64 bits": [400, chunked("fffffffffffffffff\r\nhello\r\n0\r\n\r\n")],
  "a bare LF after a chunk size": [400, chunked("5\nhello\r\n0\r\n\r\n")],
  "a bare LF after a chunk": [400, chunked("5\r\nhello\n0\r\n\r\n")],
  "a chunk longer than its size": [400, chunked("5\r\nhello, world\r\n0\r\n\r\n")],
  "a bare LF in a chunk extension": [400, chunked("5;a\nb\r\nhello\r\n0\r\n\r\n")],
  "64 KiB of chunk extension": [400, chunked(`5;${"a".repeat(65_536)}\r\nhello\r\n0\r\n\r\n`)],
  "Content-Length among the trailers": [400, chunked("0\r\nContent-Length: 4\r\n\r\n")],
  "64 KiB of trailers": [431, chunked(`0\r\nX: ${"y".repeat(65_536)}\r\n\r\n`)],
  "a space before the colon": [400, get("X : y\r\n")],
  "NUL in a name": [400, get("X\0: y\r\n")],
  "NUL in a value": [400, get("X: y\0z\r\n")],
  "a name that is no token": [400, get("X(: y\r\n")],
  "a name without letters": [400, get(": y\r\n")],
  "a line without a colon": [400, get("foo\r\n")],
  "101 headers": [431, get(Array.from({ length: 100 }, (_, index) => `X-${index}: y\r\n`).join(""))],
  "33 KiB of headers": [431, get(`X: ${"y".repeat(33 * 1024)}\r\n`)],
  "64 KiB of headers": [431, get(`X: ${"y".repeat(65_536)}\r\n`)],
  "a target of 17 KiB": [414, `GET /t/a/${"y".repeat(17 * 1024)} HTTP/1.1\r\nHost: localhost\r\n\r\n`],
  "a target of 64 KiB": [414, `GET /t/a/${"y".repeat(65_536)} HTTP/1.1\r\nHost: localhost\r\n\r\n`],
  "a method nobody knows": [400, "FOO /t/a/b HTTP/1.1\r\nHost: localhost\r\n\r\n"],
  CONNECT: [400, "CONNECT example.com:443 HTTP/1.1\r\nHost: localhost\r\n\r\n"],
  "two Hosts": [400, "GET /t/a/b HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n"],
  "no Host": [400, "GET /t/a/b HTTP/1.1\r\n\r\n"],
  "HTTP/0.9": [400, "GET /t/a/b\r\n\r\n"],
  "HTTP/2 in clear": [400, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  "the version 2.0": [400, "GET /t/a/b HTTP/2.0\r\nHost: localhost\r\n\r\n"],
  "a fragment": [400, "GET /t/a/b#c HTTP/1.1\r\nHost: localhost\r\n\r\n"],
  "an absolute target for another host": [400, "GET http://evil.example/t/a/b HTTP/1.1\r\nHost: localhost\r\n\r\n"],
  "an absolute target of another scheme": [400, "GET ftp://localhost/t/a/b HTTP/1.1\r\nHost: localhost\r\n\r\n"],
  "a target with a NUL": [400, "GET /t/a/\0 HTTP/1.1\r\nHost: localhost\r\n\r\n"],
  "a target that is not ASCII": [400, "GET /t/a/\xc3\xa9 HTTP/1.1\r\nHost: localhost\r\n\r\n"],
};

describe("requests that two servers could read differently", () => {
  it.each(Object.entries(refused))("are refused: %s", async (_, [status, request]) => {
    await using client = await RawClient.connect(front.port);
    const answer = await client.send(request).answer();
    expect(answer?.status).toBe(status);
    expect(answer?.headers.connection).toBe("close");
    expect(answer?.headers["content-type"]).toBe("application/json; charset=utf-8");
    const problem = JSON.parse(answer?.body ?? "");
    expect(Object.keys(problem)).toEqual(["message", "code", "detail", "hint"]);
    expect(client.rest).toBe("");
    client.socket.end();
    await client.closed;
  });

  it("leave the server able to answer others", async () => {
    const answer = await exchangeRaw(front.port, post("Content-Length: 5\r\n", "hello"));
    expect(JSON.parse(answer?.body ?? "")).toEqual({ method: "POST", path: "/t/a/b", query: "", bytes: 5 });
  });
});

describe("requests that are unusual and clear", () => {
  const accepted: Record<string, readonly [bytes: number, request: string]> = {
    "chunked in capitals": [5, post("Transfer-Encoding: CHUNKED\r\n", "5\r\nhello\r\n0\r\n\r\n")],
    // RFC 9110 §5.6.3: a tab is optional white space like a space; what follows is framed as chunked, nothing else.
    "a tab before chunked": [5, post("Transfer-Encoding:\tchunked\r\n", "5\r\nhello\r\n0\r\n\r\n")],
    "a short chunk extension": [5, chunked("5;a=b\r\nhello\r\n0\r\n\r\n")],
    "a body on GET": [5, get("Content-Length: 5\r\n").concat("hello")],
    "a chunked body on GET": [5, get("Transfer-Encoding: chunked\r\n").concat("5\r\nhello\r\n0\r\n\r\n")],
    TRACE: [0, "TRACE /t/a/b HTTP/1.1\r\nHost: localhost\r\n\r\n"],
    "an absolute target": [0, "GET http://localhost/t/a/b HTTP/1.1\r\nHost: localhost\r\n\r\n"],
    "100 headers": [0, get(Array.from({ length: 99 }, (_, index) => `X-${index}: y\r\n`).join(""))],
    "an offer to upgrade": [0, get("Connection: Upgrade\r\nUpgrade: h2c\r\n")],
    "an expectation nobody knows": [0, get("Expect: the-unexpected\r\n")],
    "HTTP/1.0 without Host": [0, "GET /t/a/b HTTP/1.0\r\n\r\n"],
  };

  it.each(Object.entries(accepted))("are served: %s", async (_, [bytes, request]) => {
    const answer = await exchangeRaw(front.port, request);
    expect(answer?.status).toBe(200);
    expect(JSON.parse(answer?.body ?? "")).toMatchObject({ path: "/t/a/b", bytes });
  });

  it("keep their boundaries: the request behind a tabbed chunked body is the second one", async () => {
    await using client = await RawClient.connect(front.port);
    client.send(post("Transfer-Encoding:\tchunked\r\n", "5\r\nhello\r\n0\r\n\r\n") + get(""));
    expect(JSON.parse((await client.answer())?.body ?? "")).toMatchObject({ method: "POST", bytes: 5 });
    expect(JSON.parse((await client.answer())?.body ?? "")).toMatchObject({ method: "GET", bytes: 0 });
  });

  it("answer Expect: 100-continue with and without a body", async () => {
    await using client = await RawClient.connect(front.port);
    client.send(get("Expect: 100-continue\r\n"));
    expect((await client.answer())?.status).toBe(100);
    expect((await client.answer())?.status).toBe(200);
    client.send(post("Expect: 100-continue\r\nContent-Length: 5\r\n"));
    expect((await client.answer())?.status).toBe(100);
    client.send("hello");
    expect(JSON.parse((await client.answer())?.body ?? "")).toMatchObject({ bytes: 5 });
  });

  it("refuse without 100 Continue what nobody would read", async () => {
    const request = "POST /nowhere HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    const answer = await exchangeRaw(front.port, request);
    expect(answer?.status).toBe(404);
    expect(answer?.headers.connection).toBe("close");
  });
});

describe("bytes behind a whole request", () => {
  it("never change or overtake its answer, and end the connection", async () => {
    let finish = () => {};
    await using slow = await startTestFront([
      dataDoor("/t/{app}/{source...}", ({ response }) => {
        response.writeHead(200, ["Content-Length", "10"]);
        response.write("first");
        finish = () => response.end("-last");
      }),
    ]);
    await using client = await RawClient.connect(slow.port);
    client.send(`${get("")}GARBAGE\r\n\r\n`);
    await new Promise<void>((resolve) => client.socket.once("data", () => resolve()));
    finish();
    expect((await client.answer())?.body).toBe("first-last");
    client.socket.end();
    await client.closed;
    expect(client.rest).toBe("");
  });

  it("are not read after Connection: close", async () => {
    await using client = await RawClient.connect(front.port);
    client.send(get("Connection: close\r\n") + get(""));
    expect((await client.answer())?.status).toBe(200);
    await client.closed;
    expect(client.rest).toBe("");
  });
});
