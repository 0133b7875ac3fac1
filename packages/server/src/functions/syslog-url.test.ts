import { describe, expect, it } from "vitest";
import { checkSyslogUrl } from "./syslog-url.ts";

describe("syslog URLs", () => {
  it("takes every scheme that is supported", () => {
    const good = [
      "tcp://log.example:601",
      "udp://127.0.0.1:514",
      "UDP://[::1]:514",
      "unix:///dev/log",
      "unixgram:///dev/log",
      "tcp+tls://user:pw@log.example:6514/path?x=1#y",
      "tcp://log.example:",
      "tcp://log%20host",
    ];
    for (const url of good) expect(() => checkSyslogUrl(url), url).not.toThrow();
  });

  it("says in Go's words what is wrong with the others", () => {
    const bad: Readonly<Record<string, string>> = {
      "tcp://a b:1": 'invalid character " " in host name',
      "tcp://a{b": 'invalid character "{" in host name',
      "tcp://a:b": 'invalid port ":b" after host',
      "tcp://[::1": "missing ']' in host",
      "tcp://[::1]x": 'invalid port "x" after host',
      "tcp://a/%zz": 'invalid URL escape "%zz"',
      "tcp://a/%z": 'invalid URL escape "%z"',
      ":514": "missing protocol scheme",
      "1a:514": "first path segment in URL cannot contain colon",
      "tcp://a\n": "net/url: invalid control character in URL",
    };
    for (const [url, failure] of Object.entries(bad))
      expect(() => checkSyslogUrl(url)).toThrow(
        `invalid syslog url: "${url}" parse ${JSON.stringify(url)}: ${failure}`,
      );
    expect(() => checkSyslogUrl("tls://h")).toThrow('invalid syslog url: "tls://h" invalid scheme, only [tcp, udp,');
  });
});
