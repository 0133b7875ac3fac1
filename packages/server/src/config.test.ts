import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { ConfigError, checkIsolation, readConfig } from "./config.ts";

function dataDirectory(serverYaml?: string): string {
  const directory = mkdtempSync(join(tmpdir(), "chaya-config-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  if (serverYaml !== undefined) writeFileSync(join(directory, "server.yaml"), serverYaml);
  return directory;
}

describe("the server's configuration", () => {
  it("listens on loopback, port 8080, with the embedded store when told nothing", () => {
    const config = readConfig({ data: dataDirectory() }, {});
    expect(config).toMatchObject({ host: "127.0.0.1", port: 8080, store: { kind: "embedded" }, auth: "none" });
    expect(config.publicUrl).toBeUndefined();
  });

  it("takes a flag over the environment over server.yaml", () => {
    const data = dataDirectory("port: 1001\ndomain: file.example\nhost: 127.0.0.3\n");
    const environment = { CHAYA_PORT: "1002", CHAYA_HOST: "127.0.0.2" };
    expect(readConfig({ data, host: "127.0.0.1" }, environment)).toMatchObject({
      host: "127.0.0.1",
      port: 1002,
      domain: "file.example",
    });
  });

  it("finds the data directory in CHAYA_DATA and ignores variables it does not know", () => {
    const data = dataDirectory();
    expect(readConfig({}, { CHAYA_DATA: data, CHAYA_TEA: "green" }).dataDirectory).toBe(data);
  });

  it.each(["0.0.0.0", "::", "192.168.1.5", "example.com", "127.example.com"])(
    "refuses --host %s with a sentence, for want of authentication",
    (host) => {
      expect(() => readConfig({ data: dataDirectory(), host }, {})).toThrow(/no authentication/);
    },
  );

  it.each(["0.0.0.0", "192.168.1.5"])("listens on --host %s when authentication is required", (host) => {
    const config = readConfig({ data: dataDirectory(), host, auth: "required" }, {});
    expect(config).toMatchObject({ host, auth: "required" });
  });

  it("offers functions without a sandbox to other machines only when that was chosen", () => {
    const read = (sandbox: string, host: string) =>
      readConfig({ data: dataDirectory(), host, auth: "required", sandbox }, {});
    expect(() => checkIsolation(read("auto", "0.0.0.0"), "none")).toThrow(/no sandbox/);
    expect(() => checkIsolation(read("auto", "0.0.0.0"), "sandbox")).not.toThrow();
    expect(() => checkIsolation(read("none", "0.0.0.0"), "none")).not.toThrow();
    expect(() => checkIsolation(read("auto", "127.0.0.1"), "none")).not.toThrow();
  });

  it.each([
    [{ port: "eighty" }, /--port 'eighty'/],
    [{ port: "65536" }, /0 to 65535/],
    [{ store: "mysql://x" }, /--store/],
    [{ auth: "oci" }, /--auth 'oci'/],
    [{ "public-url": "ftp://x" }, /--public-url/],
    [{ "public-url": "http://x/?q" }, /--public-url/],
    [{ "trusted-proxies": "10.0.0.0/33" }, /--trusted-proxies/],
    [{ "log-level": "loud" }, /--log-level/],
  ])("names what is wrong with %j", (flags, sentence) => {
    const attempt = () => readConfig({ data: dataDirectory(), ...flags }, {});
    expect(attempt).toThrow(ConfigError);
    expect(attempt).toThrow(sentence);
  });

  it("names an unknown key of server.yaml and refuses aliases, which can grow without bound", () => {
    expect(() => readConfig({ data: dataDirectory("prot: 1\n") }, {})).toThrow(/unknown key 'prot'/);
    expect(() => readConfig({ data: dataDirectory("host: &a x\ndomain: *a\n") }, {})).toThrow(/not valid YAML/);
    expect(() => readConfig({ data: dataDirectory("- port\n") }, {})).toThrow(/must be a map/);
  });

  it("never repeats a database URL, which may carry a password", () => {
    expect(() => readConfig({ data: dataDirectory(), store: "pg://u:sesame@h/d" }, {})).not.toThrow(/sesame/);
  });

  it("drops the trailing slash of the public URL", () => {
    expect(readConfig({ data: dataDirectory(), "public-url": "https://fn.example.com/base/" }, {}).publicUrl).toBe(
      "https://fn.example.com/base",
    );
  });
});
