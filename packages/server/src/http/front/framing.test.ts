import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ambiguousRequests } from "../../testing/ambiguous-requests.ts";
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
describe("requests that two servers could read differently", () => {
  it.each(Object.entries(ambiguousRequests("/t/a/b")))("are refused: %s", async (_, [status, request]) => {
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
