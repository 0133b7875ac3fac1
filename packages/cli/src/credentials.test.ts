import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type CredentialPlaces, credentialHeaders, findCredential } from "./credentials.ts";
import { saveSession, sessionsFile } from "./saved-sessions.ts";

const own = "http://127.0.0.1:8080";
const nowMs = Date.parse("2026-01-01T00:00:00Z");
let data: string;
let file: string;
beforeAll(() => {
  data = mkdtempSync(join(tmpdir(), "chaya-credentials-"));
  file = join(data, "keys", "admin.token");
  mkdirSync(join(data, "keys"));
  writeFileSync(file, "chaya_fromfile\n", { mode: 0o600 });
});
afterAll(() => rmSync(data, { recursive: true, force: true }));

function shown(url: string, environment: CredentialPlaces["environment"], options: Partial<CredentialPlaces> = {}) {
  const places = {
    environment: { HOME: data, ...environment },
    directory: "/nowhere",
    data: undefined,
    nowMs,
    ...options,
  };
  return credentialHeaders(findCredential(url, places));
}

it("shows the token of the environment to any server", () => {
  const environment = { CHAYA_TOKEN: "chaya_given", CHAYA_DATA: data };
  for (const url of [own, "https://functions.example.com"])
    expect(shown(url, environment)).toEqual({ authorization: "Bearer chaya_given" });
});

it.each([own, "http://localhost:1", "http://[::1]:1"])("shows the administrator's token to %s", (url) => {
  expect(shown(url, { CHAYA_DATA: data })).toEqual({ authorization: "Bearer chaya_fromfile" });
});

it.each(["http://10.0.0.1:8080", "https://127.0.0.1.example.com"])("shows it to no server elsewhere: %s", (url) => {
  expect(shown(url, { CHAYA_DATA: data })).toEqual({});
});

it("shows nothing where there is nothing", () => {
  expect(shown(own, { CHAYA_DATA: join(data, "nothing") })).toEqual({});
});

it("refuses a token that others may read", () => {
  chmodSync(file, 0o644);
  expect(() => shown(own, { CHAYA_DATA: data })).toThrow(/can be read by other users/);
  chmodSync(file, 0o600);
});

it("takes the data directory that is named, or the one where the command is given", () => {
  const expected = { authorization: "Bearer chaya_fromfile" };
  expect(shown(own, { CHAYA_DATA: "/other" }, { data })).toEqual(expected);
  expect(shown(own, { CHAYA_DATA: "keys/.." }, { directory: data })).toEqual(expected);
});

it("shows a session to its own server until it ends, and before the administrator's token", async () => {
  const environment = { XDG_CONFIG_HOME: join(data, "config"), HOME: data, CHAYA_DATA: data };
  const session = { token: "chaya_session", expiresAt: "2026-01-01T12:00:00.000Z", user: "ada" };
  await saveSession("http://localhost:8080", environment, session);
  expect(sessionsFile(environment)).toBe(join(data, "config/chaya/sessions.json"));
  expect(shown(own, environment)).toEqual({ authorization: "Bearer chaya_session" });
  expect(shown("http://10.0.0.1:8080", environment)).toEqual({});
  expect(shown("http://127.0.0.1:8081", environment)).toEqual({ authorization: "Bearer chaya_fromfile" });
  expect(shown(own, environment, { nowMs: Date.parse(session.expiresAt) })).toEqual({
    authorization: "Bearer chaya_fromfile",
  });
  chmodSync(sessionsFile(environment), 0o640);
  expect(() => shown(own, environment)).toThrow(/sessions.json can be read by other users/);
});

it("says of a file that holds no sessions where it is", () => {
  const environment = { XDG_CONFIG_HOME: join(data, "broken") };
  mkdirSync(join(data, "broken/chaya"), { recursive: true });
  for (const text of ["", "{", "[1]", '{"http://a":{"token":1}}']) {
    writeFileSync(sessionsFile(environment), text, { mode: 0o600 });
    expect(() => shown(own, environment), text).toThrow(/sessions.json does not hold sessions/);
  }
});
