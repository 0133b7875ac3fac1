import { readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { limits } from "@chaya/contract";
import { ocidOf } from "@chaya/contract/oci";
import { describe, expect, it } from "vitest";
import { rootId } from "../../testing/identity-server.ts";
import { SessionServer } from "../../testing/session-server.ts";
import { testStores } from "../../testing/stores.ts";

for (const testStore of testStores()) {
  describe(`login links on ${testStore.kind}`, () => {
    it("log their user in once", async () => {
      await using server = await SessionServer.start(await testStore.open());
      const ada = await server.addUser("ada");
      const link = await server.ask("POST /chaya/v1/login-links", { token: server.adminToken, body: { user: ada } });
      expect(link).toMatchObject({ status: 200, json: { expiresAt: "2026-01-01T00:10:00.000Z" } });
      const [url, loginToken = ""] = String(Object(link.json).url).split("=");
      expect(url).toBe("https://fn.example.org/console/#login");
      const session = await server.logIn(loginToken);
      expect(session).toMatchObject({
        status: 200,
        json: { expiresAt: "2026-01-01T12:00:00.000Z", user: { id: ada, name: "ada" } },
      });
      expect(await server.logIn(loginToken)).toMatchObject({ status: 401, json: { code: "login-token-invalid" } });
      // Known, and allowed nothing.
      const { token } = Object(session.json);
      expect(await server.ask("POST /chaya/v1/login-links", { token, body: { user: ada } })).toMatchObject({
        status: 404,
        json: { code: "not-authorized" },
      });
    });

    it("log one of many in who open them at the same moment", async () => {
      await using server = await SessionServer.start(await testStore.open());
      const loginToken = await server.newLoginToken(await server.addUser("ada"));
      const answers = await Promise.all(Array.from({ length: 8 }, () => server.logIn(loginToken)));
      expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(7).fill(401)]);
    });

    it("are no credentials themselves, and neither is their hash", async () => {
      await using server = await SessionServer.start(await testStore.open());
      const ada = await server.addUser("ada");
      const loginToken = await server.newLoginToken(ada);
      const [row] = await server.tokens("login");
      for (const token of [loginToken, String(row?.hash)])
        expect(await server.ask("POST /chaya/v1/login-links", { token, body: { user: ada } })).toMatchObject({
          status: 401,
          json: { code: "credentials-invalid" },
        });
      expect(await server.logIn(String(row?.hash))).toMatchObject({ status: 401 });
      expect(JSON.stringify(row)).not.toContain(loginToken.slice(6));
    });

    it("end after ten minutes", async () => {
      await using server = await SessionServer.start(await testStore.open());
      const ada = await server.addUser("ada");
      const [first, second] = [await server.newLoginToken(ada), await server.newLoginToken(ada)];
      server.clock.jump(600_000 - 1);
      expect(await server.logIn(first)).toMatchObject({ status: 200 });
      server.clock.jump(1);
      expect(await server.logIn(second)).toMatchObject({ status: 401 });
    });

    it("let nobody in whose user was blocked or deleted meanwhile", async () => {
      await using server = await SessionServer.start(await testStore.open());
      const ada = await server.addUser("ada");
      const loginToken = await server.newLoginToken(ada);
      await server.block(ada, true);
      expect(await server.logIn(loginToken)).toMatchObject({ status: 401 });
      expect(
        await server.ask("POST /chaya/v1/login-links", { token: server.adminToken, body: { user: ada } }),
      ).toMatchObject({ status: 400 });
      await server.block(ada, false);
      expect(await server.logIn(loginToken)).toMatchObject({ status: 200 });
    });

    it("are made by OCID as well, and for nobody who does not exist", async () => {
      await using server = await SessionServer.start(await testStore.open());
      const ada = await server.addUser("ada");
      const ask = (user: string) =>
        server.ask("POST /chaya/v1/login-links", { token: server.adminToken, body: { user } });
      expect(await ask(ocidOf("user", ada, ""))).toMatchObject({ status: 200 });
      for (const user of [rootId, "ada", ocidOf("group", ada, "")])
        expect(await ask(user)).toMatchObject({ status: 404 });
      expect(await server.ask("POST /chaya/v1/login-links", { body: { user: ada } })).toMatchObject({ status: 401 });
    });

    it("are as many as a user may have sessions", async () => {
      await using server = await SessionServer.start(await testStore.open());
      const ada = await server.addUser("ada");
      for (let count = 0; count < limits.sessionsPerUserMax; count++) await server.newLoginToken(ada);
      const ask = () => server.ask("POST /chaya/v1/login-links", { token: server.adminToken, body: { user: ada } });
      expect(await ask()).toMatchObject({ json: { code: "identity-exhausted" } });
      server.clock.jump(600_000);
      expect(await ask()).toMatchObject({ status: 200 });
    });

    it("can be guessed at so many times a minute, which keeps nobody else out", async () => {
      await using server = await SessionServer.start(await testStore.open());
      const loginToken = await server.newLoginToken(await server.addUser("ada"));
      const guess = `chaya_${"A".repeat(43)}`;
      for (let count = 0; count < limits.failedLoginsPerMinuteMax; count++)
        expect((await server.logIn(count % 2 === 0 ? guess : "guess")).status).toBe(401);
      expect(await server.logIn(guess)).toMatchObject({ status: 429, json: { code: "logins-exhausted" } });
      expect(await server.logIn(loginToken)).toMatchObject({ status: 200 });
      await server.clock.advance(60_000);
      expect(await server.logIn(guess)).toMatchObject({ status: 401 });
    });
  });

  describe(`sessions on ${testStore.kind}`, () => {
    it("end when their user says so, and only then", async () => {
      await using server = await SessionServer.start(await testStore.open());
      const ada = await server.addUser("ada");
      const one = await server.newSession(ada);
      const other = await server.newSession(ada);
      expect(await server.ask("DELETE /chaya/v1/sessions/current", { token: one })).toMatchObject({ status: 204 });
      expect(await server.ask("DELETE /chaya/v1/sessions/current", { token: one })).toMatchObject({ status: 401 });
      expect(await server.ask("DELETE /chaya/v1/sessions/current", { token: other })).toMatchObject({ status: 204 });
    });

    it("are ended by nobody who has none", async () => {
      await using server = await SessionServer.start(await testStore.open());
      const missing = { status: 404, json: { code: "session-missing" } };
      expect(await server.ask("DELETE /chaya/v1/sessions/current")).toMatchObject(missing);
      expect(await server.ask("DELETE /chaya/v1/sessions/current", { token: server.adminToken })).toMatchObject(
        missing,
      );
      expect(await server.tokens("admin")).toHaveLength(1);
    });

    it("end after twelve hours, and are then removed", async () => {
      await using server = await SessionServer.start(await testStore.open());
      const session = await server.newSession(await server.addUser("ada"));
      server.clock.jump(12 * 3_600_000 - 1);
      expect(await server.isKnown(session)).toBe(true);
      server.clock.jump(1);
      expect(await server.isKnown(session)).toBe(false);
      expect(await server.tokens("session")).toHaveLength(1);
      await server.clock.advance(3_600_000);
      await expect.poll(() => server.tokens("session")).toHaveLength(0);
      expect(await server.tokens("admin")).toHaveLength(1);
    });
  });

  describe(`the administrator's token on ${testStore.kind}`, () => {
    it("is a file for its owner only, is made once, and administers the tenancy", async () => {
      await using server = await SessionServer.start(await testStore.open());
      const file = await server.ensureAdminToken();
      expect(file).toBe(join(server.directory, "keys", "admin.token"));
      expect((await stat(file)).mode & 0o777).toBe(0o600);
      expect((await stat(join(server.directory, "keys"))).mode & 0o777).toBe(0o700);
      expect(await readFile(file, "utf8")).toBe(`${server.adminToken}\n`);
      expect(await server.isKnown(server.adminToken)).toBe(true);
    });

    it("is replaced when its file is gone, and the old one is good no more", async () => {
      await using server = await SessionServer.start(await testStore.open());
      const before = server.adminToken;
      await rm(await server.ensureAdminToken());
      const after = (await readFile(await server.ensureAdminToken(), "utf8")).trim();
      expect(await server.isKnown(after)).toBe(true);
      expect(await server.isKnown(before)).toBe(false);
      expect(await server.tokens("admin")).toHaveLength(1);
    });

    it("is each data directory's own", async () => {
      await using server = await SessionServer.start(await testStore.open());
      const other = (await readFile(await server.ensureAdminToken("another"), "utf8")).trim();
      expect(await server.isKnown(other)).toBe(true);
      expect(await server.isKnown(server.adminToken)).toBe(true);
    });
  });
}
