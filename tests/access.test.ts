import { generateKeyPairSync } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CliRunOptions, runInMemory } from "../packages/cli/src/testing/memory-terminal.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";

let server: ServerProcess;
let folder: string;
beforeAll(async () => {
  server = await startServerProcess({ arguments: ["--auth", "required"] });
  folder = mkdtempSync(join(tmpdir(), "chaya-access-"));
}, 60_000);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

type Words = string | readonly string[];

/** As the administrator who owns the data directory. */
async function chaya(words: Words, environment: Readonly<Record<string, string>> = {}) {
  const run = await anyone(words, { environment: { CHAYA_DATA: server.data, ...environment } });
  expect(run.err + run.out, String(words)).not.toMatch(/chaya: /);
  return run;
}

function anyone(words: Words, options: CliRunOptions = {}) {
  const list = typeof words === "string" ? words.split(" ") : words;
  const environment = { CHAYA_URL: server.url, HOME: folder, ...options.environment };
  return runInMemory(list, { directory: folder, ...options, environment });
}

describe("users and groups", () => {
  it("are made, shown, changed, blocked and deleted", async () => {
    expect((await chaya("access users create ada --description Lovelace")).out).toMatch(
      /^Created the user ada \(ocid1\.user\.oc1\.\./,
    );
    expect((await chaya("access groups create Developers")).out).toContain("Created the group Developers");
    expect((await chaya("access groups add-user Developers ada")).out).toBe("ada is in Developers.\n");
    expect((await chaya("access users get ada")).out).toMatch(/description +Lovelace\n[\s\S]*groups +Developers\n/);
    expect((await chaya("access groups get Developers --json")).json()).toMatchObject({ users: ["ada"] });
    await chaya("access users block ada");
    expect((await chaya("access users list")).out).toMatch(/^ada +blocked +ocid1\.user/m);
    await chaya("access users unblock ada");
    await chaya("access users update ada --email ada@example.org");
    expect((await chaya("access users get ada --json")).json()).toMatchObject({ email: "ada@example.org" });
    const refused = await anyone("access users delete ada", { environment: { CHAYA_DATA: server.data } });
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining("chaya access users delete ada --yes")]);
    await chaya("access users delete ada --yes");
    expect((await chaya("access groups get Developers")).out).toMatch(/users +none/);
    await chaya("access groups delete Developers");
  });

  it("are found by OCID, and mistyped ones by what is near", async () => {
    await chaya("access users create grace");
    const { id } = Object((await chaya("access users get grace --json")).json());
    expect((await chaya(`access users get ${id}`)).out).toContain("grace");
    const guess = await anyone("access users get garce", { environment: { CHAYA_DATA: server.data } });
    expect(guess.err).toBe("chaya: There is no user 'garce'.\n  Did you mean 'grace'?\n");
    const far = await anyone("access groups get x", { environment: { CHAYA_DATA: server.data } });
    expect(far.err).toContain("List them with: chaya access groups list");
  });
});

describe("compartments and policies", () => {
  it("are made, moved, renamed and deleted, and named by their paths", async () => {
    await chaya("access compartments create dev");
    await chaya("access compartments create team --parent dev");
    await chaya("access compartments create ops");
    expect((await chaya("access compartments list --tree")).out).toBe("root\n  dev\n    team\n  ops\n");
    expect((await chaya("access compartments move team --to ops")).out).toBe("Moved dev:team into ops.\n");
    await chaya("access compartments rename ops:team crew");
    await chaya("access compartments create crew --parent dev");
    const both = await anyone("access compartments get crew", { environment: { CHAYA_DATA: server.data } });
    expect(both.err).toContain("Say which: dev:crew, ops:crew");
    await chaya("access compartments delete dev:crew");
    expect((await chaya("access compartments get crew")).out).toContain("ops:crew");
  });

  it("say who may do what", async () => {
    const statement = "Allow group Administrators to read audit-events in compartment ops:crew";
    await chaya(["access", "policies", "create", "readers", "--statement", statement]);
    expect((await chaya("access policies list")).out).toContain(`readers              ${statement}`);
    await chaya(["access", "policies", "update", "readers", "--statement", statement.replace("read", "inspect")]);
    expect((await chaya("access policies get readers")).out).toContain("  Allow group Administrators to inspect");
    const wrong = ["access", "policies", "create", "wrong", "--statement", "Allow group A to fly functions in tenancy"];
    const refused = await anyone(wrong, { environment: { CHAYA_DATA: server.data } });
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining("fly")]);
    await chaya("access policies delete readers");
    const rule = "ALL {resource.type = 'fnfunc'}";
    await chaya(["access", "dynamic-groups", "create", "workers", "--rule", rule]);
    expect((await chaya("access dynamic-groups list")).out).toContain(rule);
    await chaya("access dynamic-groups delete workers");
  });
});

describe("credentials", () => {
  it("of the kind API key are uploaded and deleted; a private key stays where it is", async () => {
    await chaya("access users create keyed");
    const { publicKey, privateKey } = generateKeyPairSync("rsa", {
      modulusLength: 2048,
      publicKeyEncoding: { type: "spki", format: "pem" },
      privateKeyEncoding: { type: "pkcs8", format: "pem" },
    });
    writeFileSync(join(folder, "public.pem"), publicKey);
    writeFileSync(join(folder, "private.pem"), privateKey);
    const mistake = await anyone("access keys upload keyed private.pem", { environment: { CHAYA_DATA: server.data } });
    expect([mistake.code, mistake.err]).toEqual([1, expect.stringContaining("is a private key")]);
    const { fingerprint } = Object((await chaya("access keys upload keyed public.pem --json")).json());
    expect((await chaya("access keys list keyed")).out).toContain(fingerprint);
    await chaya(`access keys delete keyed ${fingerprint}`);
    expect((await chaya("access keys list keyed --json")).json()).toEqual([]);
  });

  it("of the kind token are shown once, on standard output alone, and are good until they are deleted", async () => {
    await chaya("access users create tokened");
    await chaya("access groups add-user Administrators tokened");
    const made = await chaya("access tokens create tokened");
    expect(made.out).toMatch(/^chaya_[\w-]{43}\n$/);
    const CHAYA_TOKEN = made.out.trim();
    expect(made.err).not.toContain(CHAYA_TOKEN);
    expect((await anyone("apps list", { environment: { CHAYA_TOKEN } })).code).toBe(0);
    const [token] = Object((await chaya("access tokens list tokened --json")).json());
    await chaya(`access tokens delete tokened ${token.id}`);
    const refused = await anyone("apps list", { environment: { CHAYA_TOKEN } });
    expect(refused.code).toBe(1);
    expect(refused.err).toMatch(
      /^chaya: The server at \S+ does not accept what is in CHAYA_TOKEN\.\n {2}.*\n {2}Set another/,
    );
    expect(refused.err).not.toContain(CHAYA_TOKEN);
  });

  it("are asked for in every dialect, in three lines", async () => {
    for (const words of ["apps list", "calls list", "access users list"]) {
      const run = await anyone(words);
      expect([run.code, run.out]).toEqual([1, ""]);
      expect(run.err).toMatch(/^chaya: The server at \S+ asks for credentials\.\n {2}.+\n {2}Log in .*--data\.\n$/);
    }
    expect((await anyone(`apps list --data ${server.data}`)).code).toBe(0);
    expect((await anyone("doctor")).out).toContain("WRONG    It asks for credentials, and you have none.");
    expect((await chaya("doctor")).out).toContain("It asks for credentials (--auth required); yours are accepted.");
  });

  it("that others can read are not used", async () => {
    const data = join(folder, "open-data");
    mkdirSync(join(data, "keys"), { recursive: true });
    writeFileSync(join(data, "keys/admin.token"), "chaya_x", { mode: 0o644 });
    chmodSync(join(data, "keys/admin.token"), 0o644);
    const run = await anyone("apps list", { environment: { CHAYA_DATA: data } });
    expect([run.code, run.err]).toEqual([1, expect.stringContaining("chmod 600")]);
  });
});

describe("a login link", () => {
  it("makes a session that is kept for the next commands, once, until logout", async () => {
    await chaya("access users create logged");
    await chaya("access groups add-user Administrators logged");
    const link = await chaya("access users login-link logged");
    expect(link.err).not.toContain("#login=");
    const url = link.out.trim();
    const login = await anyone(["login"], { stdin: link.out, environment: { CHAYA_URL: "" } });
    expect(login.out).toMatch(/^Logged in at http:\/\/localhost:\d+ as logged until 20/);
    expect(login.out + login.err).not.toContain("chaya_");
    const file = join(folder, ".config/chaya/sessions.json");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    // The link says localhost, the URL of this test 127.0.0.1.
    expect((await anyone("apps list")).code).toBe(0);
    const again = await anyone(["login", url]);
    expect([again.code, again.err]).toEqual([1, expect.stringContaining("login-token-invalid")]);
    expect((await anyone("logout")).out).toContain("Logged logged out of");
    expect(readFileSync(file, "utf8")).toBe("{}\n");
    expect((await anyone("apps list")).code).toBe(1);
    expect((await anyone("logout")).err).toContain("There is no session at");
  });

  it("that is none is refused before anything is asked", async () => {
    for (const text of ["https://example.com/", "#login=x", "https://example.com/#login=", "http://x/#login=a&b"])
      expect((await anyone(["login", text])).code, text).toBe(2);
  });
});

describe("the audit", () => {
  it("tells who did what, and finds it by user, operation and outcome", async () => {
    await chaya("access users create audited");
    const { out } = await chaya("access audit --user admin --operation CreateUser --limit 3");
    expect(out).toMatch(/^AT +PRINCIPAL +OPERATION +RESOURCE +STATUS/);
    expect(out).toMatch(/ admin +CreateUser +audited +200 /);
    await anyone("access users create audited", { environment: { CHAYA_DATA: server.data } });
    expect((await chaya("access audit --operation CreateUser --outcome refused")).out).toMatch(/ 409 +user-exists/);
    const wrong = await anyone("access audit --outcome refusd", { environment: { CHAYA_DATA: server.data } });
    expect([wrong.code, wrong.err]).toEqual([2, expect.stringContaining("Did you mean refused?")]);
  });
});

describe("setup", () => {
  it("of a profile keeps others, and says what to do when the user has no room for another key", async () => {
    const file = join(folder, "many.conf");
    for (const profile of ["ONE", "TWO", "THREE"])
      await chaya(`setup oci --file ${file} --profile ${profile} --user many`);
    expect((await chaya("access keys list many --json")).json()).toHaveLength(3);
    const full = `setup oci --file ${file} --profile FOUR --user many`;
    const refused = await anyone(full, { environment: { CHAYA_DATA: server.data } });
    expect([refused.code, refused.err]).toEqual([
      1,
      expect.stringContaining("chaya access keys delete many FINGERPRINT"),
    ]);
    const before = readFileSync(file, "utf8");
    await chaya(`setup oci --file ${file} --profile TWO --user many`);
    const after = readFileSync(file, "utf8");
    const [one, , three] = before.split("\n\n");
    expect(after.split("\n\n")).toEqual([one, expect.stringMatching(/^\[TWO\]/), three]);
    expect(after).not.toBe(before);
  });

  it("of Fn's CLI makes a context with a token that is accepted, and replaces it", async () => {
    const settings = join(folder, ".fn/config.yaml");
    mkdirSync(join(folder, ".fn"));
    writeFileSync(settings, "cli-version: 0.6.63\ncurrent-context: default\ncontainer-enginetype: podman\n");
    const first = await tokenOfContext();
    expect(readFileSync(settings, "utf8")).toBe(
      'cli-version: 0.6.63\ncurrent-context: "chaya"\ncontainer-enginetype: podman\n',
    );
    const second = await tokenOfContext();
    const status = async (token: string) =>
      (await fetch(`${server.url}/v2/apps`, { headers: { authorization: `Bearer ${token}` } })).status;
    expect([await status(first), await status(second)]).toEqual([401, 200]);
  });

  async function tokenOfContext(): Promise<string> {
    const run = await chaya("setup fn");
    const file = join(folder, ".fn/contexts/chaya.yaml");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const text = readFileSync(file, "utf8");
    const token = /^token: "(chaya_[\w-]+)"$/m.exec(text)?.[1] ?? "";
    expect(text).toBe(`api-url: "${server.url}"\nprovider: "default"\nregistry: ""\ntoken: "${token}"\n`);
    expect(run.out).not.toContain(token);
    return token;
  }
});
