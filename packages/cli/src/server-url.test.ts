import { describe, expect, it } from "vitest";
import { serverUrl } from "./server-url.ts";

describe("the server's URL", () => {
  it("comes from --url, else CHAYA_URL, else FN_API_URL, else is this machine", () => {
    const environment = { CHAYA_URL: "http://chaya:1", FN_API_URL: "http://fn:2" };
    expect(serverUrl("http://flag:3", environment)).toBe("http://flag:3");
    expect(serverUrl(undefined, environment)).toBe("http://chaya:1");
    expect(serverUrl(undefined, { CHAYA_URL: "", FN_API_URL: "http://fn:2" })).toBe("http://fn:2");
    expect(serverUrl(undefined, {})).toBe("http://127.0.0.1:8080");
  });

  it.each([
    ["localhost:8080", "http://localhost:8080"],
    ["localhost", "http://localhost"],
    ["https://fn.example.com", "https://fn.example.com"],
    ["https://fn.example.com:443/base/path/", "https://fn.example.com/base/path"],
    ["[::1]:8080", "http://[::1]:8080"],
  ])("reads '%s' as Fn does: %s", (text, url) => expect(serverUrl(text, {})).toBe(url));

  it.each(["", "ftp://x", "http://", "http://user:pw@host", "http://host?x=1", "http://host#x", "http://a b"])(
    "refuses '%s'",
    (text) => expect(() => serverUrl(text, {})).toThrow("--url"),
  );
});
