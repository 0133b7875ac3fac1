import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { credentialHeaders } from "./credentials.ts";

const own = "http://127.0.0.1:8080";
let data: string;
let file: string;
beforeAll(() => {
  data = mkdtempSync(join(tmpdir(), "chaya-credentials-"));
  file = join(data, "keys", "admin.token");
  mkdirSync(join(data, "keys"));
  writeFileSync(file, "chaya_fromfile\n", { mode: 0o600 });
});
afterAll(() => rmSync(data, { recursive: true, force: true }));

it("shows the token of the environment to any server", () => {
  const environment = { CHAYA_TOKEN: "chaya_given", CHAYA_DATA: data };
  for (const url of [own, "https://functions.example.com"])
    expect(credentialHeaders(url, environment)).toEqual({ authorization: "Bearer chaya_given" });
});

it.each([own, "http://localhost:1", "http://[::1]:1"])("shows the administrator's token to %s", (url) => {
  expect(credentialHeaders(url, { CHAYA_DATA: data })).toEqual({ authorization: "Bearer chaya_fromfile" });
});

it.each(["http://10.0.0.1:8080", "https://127.0.0.1.example.com"])("shows it to no server elsewhere: %s", (url) => {
  expect(credentialHeaders(url, { CHAYA_DATA: data })).toEqual({});
});

it("shows nothing where there is nothing", () => {
  expect(credentialHeaders(own, { CHAYA_DATA: join(data, "nothing") })).toEqual({});
});

it("refuses a token that others may read", () => {
  chmodSync(file, 0o644);
  expect(() => credentialHeaders(own, { CHAYA_DATA: data })).toThrow(/can be read by other users/);
  chmodSync(file, 0o600);
});
