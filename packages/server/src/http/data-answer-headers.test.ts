import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dataAnswerHeaders } from "./data-answer-headers.ts";

const policy = "sandbox allow-scripts allow-forms allow-popups allow-downloads allow-modals";

describe("answers of user code on the main origin", () => {
  it("keep their headers, order and repetitions, and gain nosniff", () => {
    expect(dataAnswerHeaders(["Content-Type", "application/json", "X-A", "1", "x-a", "2"])).toEqual([
      ...["Content-Type", "application/json", "X-A", "1", "x-a", "2"],
      ...["X-Content-Type-Options", "nosniff"],
    ]);
    expect(dataAnswerHeaders([])).toEqual(["X-Content-Type-Options", "nosniff"]);
  });

  it("never set cookies, clear site data or widen a service worker, in whatever case", () => {
    const names = ["Set-Cookie", "set-cookie2", "Clear-Site-Data", "Service-Worker-Allowed", "X-Content-Type-Options"];
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.infiniteStream(fc.boolean()), (name, flips) => {
        const cased = [...name].map((letter) => (flips.next().value ? letter.toUpperCase() : letter.toLowerCase()));
        expect(dataAnswerHeaders([cased.join(""), "x"])).toEqual(["X-Content-Type-Options", "nosniff"]);
      }),
    );
  });

  it.each([
    "text/html",
    "TEXT/HTML; charset=utf-8",
    " text/html",
    "text/plain, text/html",
    "application/xhtml+xml",
    "image/svg+xml",
    "text/xml",
    "application/atom+xml",
    "text/xsl",
    "multipart/x-mixed-replace; boundary=x",
  ])("run in an origin of their own when they can run scripts: %s", (type) => {
    const own = ["Content-Security-Policy", "default-src *"];
    const headers = dataAnswerHeaders([...own, "content-type", type]);
    expect(headers.slice(-2)).toEqual(["Content-Security-Policy", policy]);
    expect(headers.slice(0, 2)).toEqual(own);
  });

  it.each(["text/plain", "application/json", "image/png", "application/octet-stream", ""])(
    "are left alone otherwise: %s",
    (type) => {
      expect(dataAnswerHeaders(["Content-Type", type])).not.toContain(policy);
    },
  );

  it("are judged by each of several Content-Types", () => {
    expect(dataAnswerHeaders(["Content-Type", "text/html", "Content-Type", "text/plain"])).toContain(policy);
  });
});
