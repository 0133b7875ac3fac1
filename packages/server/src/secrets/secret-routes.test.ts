import { chmod, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { isProblem, limits } from "@chaya/contract";
import { describe, expect, it } from "vitest";
import { askJson } from "../testing/function-records-server.ts";
import { type SecretsServer, startSecretsServer } from "../testing/secrets-server.ts";
import { testStores } from "../testing/stores.ts";

for (const testStore of testStores())
  describe(`secrets on ${testStore.kind}`, () => {
    const start = async () => startSecretsServer(await testStore.open());

    it("are given to a function, its own over those of its application, and shown to nobody", async () => {
      await using server = await start();
      const { shop, buy, sell } = server.ids;
      await set(server, "shop", "TOKEN", "for all functions");
      await set(server, shop, "TOKEN?fn=buy", "for buy only");
      const other = await set(server, shop, `OTHER?fn=${sell}`, "for sell only");
      await set(server, shop, "EMPTY", "");
      expect(await server.secrets.readSecrets(shop, buy)).toEqual({ TOKEN: "for buy only", EMPTY: "" });
      expect(await server.secrets.readSecrets(shop, sell)).toEqual({
        ...{ TOKEN: "for all functions", EMPTY: "" },
        OTHER: "for sell only",
      });
      expect(other.json).toEqual({
        ...{ name: "OTHER", function: "sell" },
        createdAt: expect.any(String),
        updatedAt: expect.any(String),
      });
      const all = await server.ask("GET /shop/secrets");
      const names = (json: unknown) => Object(json).items.map((item: { name: string }) => item.name);
      expect(names(all.json)).toEqual(["EMPTY", "TOKEN", "TOKEN", "OTHER"]);
      expect(names((await server.ask("GET /shop/secrets?fn=buy")).json)).toEqual(["TOKEN"]);
      const rows = await server.functions.recordDeps.store.db.selectFrom("secrets").selectAll().execute();
      const sealed = rows.map((row) => Buffer.from(row.sealed).toString("latin1")).join();
      expect(all.text + other.text + JSON.stringify(rows) + sealed).not.toMatch(/for all|only/);
    });

    it("are replaced and removed, each change with its number in the feed", async () => {
      await using server = await start();
      const { shop, buy } = server.ids;
      const first = await set(server, shop, "TOKEN", "first value");
      await server.functions.clock.advance(1_000);
      const second = await set(server, shop, "TOKEN", "second value");
      expect(Object(second.json).createdAt).toBe(Object(first.json).createdAt);
      expect(Object(second.json).updatedAt > Object(first.json).updatedAt).toBe(true);
      expect(await server.secrets.readSecrets(shop, buy)).toEqual({ TOKEN: "second value" });
      const gone = await server.ask(`DELETE /${shop}/secrets/TOKEN`);
      expect(gone.status).toBe(204);
      const seqs = [first, second, gone].map(({ headers }) => Number(headers.get("chaya-seq")));
      expect(seqs).toEqual([seqs[0], Number(seqs[0]) + 1, Number(seqs[0]) + 2]);
      expect(await server.secrets.readSecrets(shop, buy)).toEqual({});
      expect(await server.ask(`DELETE /${shop}/secrets/TOKEN`)).toMatchObject({
        ...{ status: 404, json: { code: "secret-not-found" } },
      });
    });

    it("are refused with a reason when they cannot be environment variables or belong nowhere", async () => {
      await using server = await start();
      const { secretValueBytesMax } = limits;
      const refused = async (send: string, value: unknown = "value") => {
        const { status, json } = await server.ask(send, send.startsWith("PUT") ? { value } : undefined);
        return `${status} ${Object(json).code}`;
      };
      for (const name of ["1ST", "A-B", "PATH", "FN_TOKEN", "A".repeat(256)])
        expect(await refused(`PUT /shop/secrets/${name}`)).toBe("400 request-invalid");
      for (const value of ["a\0b", "é".repeat(secretValueBytesMax / 2 + 1), 1, null])
        expect(await refused("PUT /shop/secrets/A", value)).toBe("400 request-invalid");
      expect((await set(server, "shop", "A", "é".repeat(secretValueBytesMax / 2))).status).toBe(200);
      expect(await refused("PUT /none/secrets/A")).toBe("404 application-not-found");
      expect(await refused("GET /none/secrets")).toBe("404 application-not-found");
      for (const method of ["PUT", "DELETE"])
        expect(await refused(`${method} /shop/secrets/A?fn=none`)).toBe("404 function-not-found");
      expect(await refused("GET /shop/secrets?fn=none")).toBe("404 function-not-found");
      expect(await refused("DELETE /shop/secrets/A-B")).toBe("400 request-invalid");
      expect(await refused("PUT /shop/secrets/A", "\ud800")).toBe("400 body-not-json");
    });

    it("are limited in number for each application, replacing excepted", async () => {
      await using server = await start();
      const { secretsPerApplicationMax: max } = limits;
      const fill = Array.from({ length: max - 2 }, (_, index) => `S${index}`);
      for (const name of fill) await set(server, "shop", name, "value");
      const raced = await Promise.all(["A", "B", "C", "D"].map((name) => set(server, "shop", name, "value")));
      expect(raced.map(({ status }) => status).sort()).toEqual([200, 200, 429, 429]);
      expect((await set(server, "shop", "S0", "other")).status).toBe(200);
    }, 60_000);

    it("are all hidden in output from the moment they are set, and afterwards when they were changed", async () => {
      await using server = await start();
      const { shop } = server.ids;
      await set(server, shop, "TOKEN", "first value");
      await set(server, shop, "TOKEN?fn=buy", "second value");
      await set(server, shop, "TOKEN", "third value");
      const text = Buffer.from("first value, second value, third value");
      expect(Buffer.from(server.secrets.redact(shop, text)).toString()).toBe("[secret], [secret], [secret]");
    });

    it("go with what they belong to", async () => {
      await using server = await start();
      const { shop, buy } = server.ids;
      const left = async () => {
        const { db } = server.functions.recordDeps.store;
        return (await db.selectFrom("secrets").select("name").orderBy("name").execute()).map(({ name }) => name);
      };
      for (const place of ["A", "B?fn=buy", "C?fn=sell"]) await set(server, shop, place, "value");
      await askJson(server.functions, `DELETE /v2/fns/${buy}`);
      await expect.poll(left).toEqual(["A", "C"]);
      await askJson(server.functions, `DELETE /v2/apps/${shop}`);
      await expect.poll(left).toEqual([]);
    });

    it("are removed at the start when a server stopped before it removed them", async () => {
      await using server = await start();
      const { store } = server.functions.recordDeps;
      for (const place of ["A", "B?fn=buy"]) await set(server, "shop", place, "value");
      // What a crash right after the deletion leaves: nobody follows a change that is not in the feed.
      await store.apply([{ query: store.db.deleteFrom("functions").where("id", "=", server.ids.buy), expect: 1 }]);
      await using again = await restart(server);
      const names = () => again.functions.recordDeps.store.db.selectFrom("secrets").select("name").execute();
      await expect.poll(names).toEqual([{ name: "A" }]);
    });

    it("do not open when their rows were changed or swapped, and others still do", async () => {
      await using server = await start();
      const { shop, buy, sell } = server.ids;
      await set(server, shop, "ONE?fn=buy", "value one");
      await set(server, shop, "TWO?fn=buy", "value two");
      await set(server, shop, "OTHER?fn=sell", "value three");
      const { store } = server.functions.recordDeps;
      const rows = await store.db
        .selectFrom("secrets")
        .select(["id", "sealed"])
        .where("function_id", "=", buy)
        .execute();
      const [one, two] = rows;
      for (const [id, sealed] of [
        [one?.id ?? "", two?.sealed ?? new Uint8Array()],
        [two?.id ?? "", one?.sealed ?? new Uint8Array()],
      ] as const)
        await store.apply([{ query: store.db.updateTable("secrets").set({ sealed }).where("id", "=", id), expect: 1 }]);
      expect(await problemOf(server.secrets.readSecrets(shop, buy))).toBe("secret-unreadable");
      expect(await server.secrets.readSecrets(shop, sell)).toEqual({ OTHER: "value three" });
    });

    it("are seen, and hidden, by every node that has the key", async () => {
      await using first = await start();
      await set(first, "shop", "TOKEN", "value one");
      const directory = dirname(first.keyFile);
      const opened = await first.functions.opened.openSecond();
      await using second = await startSecretsServer(opened, { directory, ids: first.ids });
      const { shop, buy } = first.ids;
      expect(await second.secrets.readSecrets(shop, buy)).toEqual({ TOKEN: "value one" });
      await set(first, "shop", "TOKEN", "value two");
      const shown = () => Buffer.from(second.secrets.redact(shop, Buffer.from("value one value two"))).toString();
      await expect.poll(shown).toBe("[secret] [secret]");
      expect(await second.secrets.readSecrets(shop, buy)).toEqual({ TOKEN: "value two" });
    });

    describe("the key", () => {
      it("is made with the first secret, for its owner only, and outlives the server", async () => {
        await using server = await start();
        await expect(stat(server.keyFile)).rejects.toThrow();
        const sent = ["A", "B", "C"].map((name) => set(server, "shop", name, "value"));
        expect((await Promise.all(sent)).map(({ status }) => status)).toEqual([200, 200, 200]);
        const { mode, size } = await stat(server.keyFile);
        expect([mode & 0o777, size]).toEqual([0o600, 32]);
        await using again = await restart(server);
        expect(await again.secrets.readSecrets(server.ids.shop, "")).toEqual({ A: "value", B: "value", C: "value" });
      });

      it("keeps the server from starting when it is missing, another, damaged or open to others", async () => {
        await using server = await start();
        await set(server, "shop", "TOKEN", "value");
        await chmod(server.keyFile, 0o640);
        expect(await problemOf(restart(server))).toBe("secrets-key-unfit");
        await chmod(server.keyFile, 0o600);
        await writeFile(server.keyFile, "short");
        expect(await problemOf(restart(server))).toBe("secrets-key-unfit");
        await writeFile(server.keyFile, Buffer.alloc(32));
        expect(await problemOf(restart(server))).toBe("secrets-key-differs");
        await rm(server.keyFile);
        expect(await problemOf(restart(server))).toBe("secrets-key-unfit");
        expect((await set(server, "shop", "OTHER", "value")).json).toMatchObject({ code: "secrets-key-unfit" });
      });

      it("is one for all nodes: a node with its own neither seals nor opens", async () => {
        await using first = await start();
        const directory = await mkdtemp(join(tmpdir(), "chaya-secrets-"));
        try {
          const opened = await first.functions.opened.openSecond();
          await using second = await startSecretsServer(opened, { directory, ids: first.ids });
          await writeFile(second.keyFile, Buffer.alloc(32), { mode: 0o600 });
          await set(first, "shop", "TOKEN", "value");
          expect((await set(second, "shop", "OTHER", "value")).json).toMatchObject({ code: "secrets-key-differs" });
          const { shop, buy } = first.ids;
          expect(await problemOf(second.secrets.readSecrets(shop, buy))).toBe("secrets-key-differs");
          await first.ask("DELETE /shop/secrets/TOKEN");
          expect((await set(second, "shop", "OTHER", "value")).status).toBe(200);
          expect((await set(first, "shop", "TOKEN", "value")).json).toMatchObject({ code: "secrets-key-differs" });
        } finally {
          await rm(directory, { recursive: true });
        }
      });
    });
  });

/** `place` is `NAME` or `NAME?fn=FUNCTION`. */
function set(server: SecretsServer, app: string, place: string, value: string) {
  return server.ask(`PUT /${app}/secrets/${place}`, { value });
}

/** A further server on the same store and data directory. */
async function restart(server: SecretsServer): Promise<SecretsServer> {
  const opened = await server.functions.opened.openSecond();
  return startSecretsServer(opened, { directory: dirname(server.keyFile), ids: server.ids });
}

async function problemOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return isProblem(error) ? error.code : String(error);
}
