import { describe, expect, it } from "vitest";
import { looksSecret, secretNameProblem } from "./secret-names.ts";

describe("names of secrets", () => {
  it.each(["DB_PASSWORD", "_private", "a", "FNORD", "Path", "OCI_KEY"])("may be %s", (name) => {
    expect(secretNameProblem(name)).toBeUndefined();
  });

  it.each(["", "1A", "A-B", "A B", "A=B", "ÄB", "A\nB", "A".repeat(256)])("may not be %j", (name) => {
    expect(secretNameProblem(name)).toMatch(/a secret's name/);
  });

  it.each(["FN_APP_ID", "CHAYA_TOKEN", "PATH", "OCI_LOCAL_ENDPOINT", "OCI_RESOURCE_PRINCIPAL_RPST"])(
    "may not be %s, which the platform sets",
    (name) => {
      expect(secretNameProblem(name)).toContain(name);
    },
  );
});

describe("looksSecret", () => {
  it.each([
    ["DB_PASSWORD", "hunter2"],
    ["dbPassword", "12345"],
    ["api-key", "abc"],
    ["STRIPE_APIKEY", "abc"],
    ["AWS_SECRET_ACCESS_KEY", "abc"],
    ["GITHUB_TOKEN", "abc"],
    ["PRIVATE_KEY", "abc"],
    ["client_secret", "abc"],
    ["DATABASE_URL", "postgres://app:hunter2@db/app"],
    ["KEY", "-----BEGIN RSA PRIVATE KEY-----\nMIIE"],
    ["SESSION", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"],
    ["ANYTHING", "ghp_0123456789abcdefghij"],
  ])("warns about %s", (key, value) => {
    expect(looksSecret(key, value)).toBe(true);
  });

  it.each([
    ["MAX_TOKENS", "4096"],
    ["TOKEN_URL", "https://id.example.com/token"],
    ["PASSWORD_FILE", "/run/secrets/db"],
    ["AWS_ACCESS_KEY_ID", "id"],
    ["SECRET", ""],
    ["REQUIRE_PASSWORD", "true"],
    ["MONKEY", "banana"],
    ["TOKENIZER", "bpe"],
    ["DATABASE_URL", "postgres://db.example.com:5432/app"],
    ["GREETING", "hello"],
  ])("says nothing about %s", (key, value) => {
    expect(looksSecret(key, value)).toBe(false);
  });
});
