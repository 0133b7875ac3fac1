import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  addedRequestHeaders,
  DeadlineText,
  directRequestHeaders,
  requestHead,
  triggerRequestHeaders,
} from "./request-headers.ts";

const platforms = ["Chaya-Attempt", "chaya-x", "Fn-Call-Id", "FN-DEADLINE", "Host", "Expect", "Content-Length"];
const hops = ["Connection", "Keep-Alive", "Upgrade", "Proxy-Connection", "Transfer-Encoding", "Trailer", "TE"];

describe("request headers", () => {
  it("of a direct invoke keep what is the client's, in order and as written", () => {
    const given = ["x-A", "1", "X-a", "2", ...[...platforms, ...hops].flatMap((name) => [name, "v"]), "TE", "trailers"];
    expect(directRequestHeaders(given)).toEqual(["x-A", "1", "X-a", "2", "TE", "trailers"]);
  });

  it("named by Connection end here", () => {
    expect(directRequestHeaders(["X-Hop", "1", "Connection", "close,  x-hop ", "X-Kept", "2"])).toEqual([
      "X-Kept",
      "2",
    ]);
  });

  it("of a trigger let no client speak for the platform", () => {
    const name = fc.constantFrom(
      "Fn-Intent",
      "fn-http-method",
      "Fn-Http-H-A",
      "X-A",
      "Content-Type",
      ...platforms,
      ...hops,
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(name, fc.constantFrom("v", "close, X-A"))), (given) => {
        const headers = triggerRequestHeaders(given.flat(), { method: "GET", url: "http://h/t/a/b" });
        expect(headers.slice(0, 6)).toEqual([
          ...["Fn-Intent", "httprequest", "Fn-Http-Method", "GET", "Fn-Http-Request-Url", "http://h/t/a/b"],
        ]);
        for (let index = 6; index < headers.length; index += 2)
          expect(headers[index]).toMatch(/^(Content-Type$|Fn-Http-H-(?!chaya-|fn-call-id|fn-deadline))/i);
      }),
    );
  });

  it("that another service adds cannot break out of their line", () => {
    expect(addedRequestHeaders(["X-A", "a\r\nX-B: b", "X C", "1", "X-D", "ok", "X-E", "\0"])).toEqual(["X-D", "ok"]);
  });

  it("of the contract come first and the deadline has the precision of seconds", () => {
    const head = requestHead({
      ...{
        callId: "C",
        deadline: new DeadlineText().of(Date.UTC(2026, 10, 24, 20, 49, 15, 999)),
        attempt: 2,
        chain: "0.C.s",
      },
      headers: ["X-A", "b"],
    });
    expect(head.split("\r\n")).toEqual([
      ...["POST /call HTTP/1.1", "Host: localhost", "Transfer-Encoding: chunked", "Fn-Call-Id: C"],
      ...["Fn-Deadline: 2026-11-24T20:49:15Z", "Chaya-Attempt: 2", "Chaya-Chain: 0.C.s", "X-A: b", "", ""],
    ]);
  });
});

it("writes each deadline to the second it lies in", () => {
  const text = new DeadlineText();
  const deadline = Date.UTC(2026, 11, 31, 23, 59, 59);
  expect([deadline, deadline + 999, deadline + 1_000, deadline].map((ms) => text.of(ms))).toEqual([
    ...["2026-12-31T23:59:59Z", "2026-12-31T23:59:59Z"],
    ...["2027-01-01T00:00:00Z", "2026-12-31T23:59:59Z"],
  ]);
});
