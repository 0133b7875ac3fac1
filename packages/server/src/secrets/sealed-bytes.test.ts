import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { isProblem } from "@chaya/contract";
import { describe, expect, it } from "vitest";
import { type SecretsServer, startSecretsServer } from "../testing/secrets-server.ts";
import { testStores } from "../testing/stores.ts";

const place = { purpose: "platform-key", name: "function/F" };
const bytes = Buffer.from([0, 1, 255, ...Buffer.from("a private key")]);

describe.each(testStores())("bytes that are sealed for another service on $kind", (store) => {
  const start = async () => startSecretsServer(await store.open());

  it("open for the purpose and the name they were sealed for only", async () => {
    await using server = await start();
    const { sealed } = server.secrets;
    const text = await sealed.seal(place, bytes);
    expect(Buffer.from(text).includes("a private key")).toBe(false);
    expect(Buffer.from(await sealed.open(place, text))).toEqual(bytes);
    expect(await sealed.seal(place, bytes)).not.toEqual(text);
    for (const other of [
      { ...place, purpose: "else" },
      { ...place, name: "function/G" },
      { purpose: "platform-keyf", name: "unction/F" },
    ])
      expect(await problemOf(sealed.open(other, text))).toBe("secret-unreadable");
    expect(await problemOf(sealed.open(place, text.with(20, (text[20] ?? 0) ^ 1)))).toBe("secret-unreadable");
    expect(await problemOf(sealed.open(place, text.subarray(0, 20)))).toBe("secret-unreadable");
  });

  it("open after a restart and on every node with the key, and a server without it does not start", async () => {
    await using server = await start();
    const text = await server.secrets.sealed.seal(place, bytes);
    expect((await stat(server.keyFile)).mode & 0o777).toBe(0o600);
    await using again = await restart(server);
    expect(Buffer.from(await again.secrets.sealed.open(place, text))).toEqual(bytes);
    await writeFile(server.keyFile, Buffer.alloc(32));
    expect(await problemOf(restart(server))).toBe("secrets-key-differs");
    await rm(server.keyFile);
    expect(await problemOf(restart(server))).toBe("secrets-key-unfit");
  });

  it("keep the key in its place: a node with another seals neither bytes nor secrets, before and after", async () => {
    await using first = await start();
    const directory = await mkdtemp(join(tmpdir(), "chaya-sealed-"));
    try {
      const opened = await first.functions.opened.openSecond();
      await using second = await startSecretsServer(opened, { directory, ids: first.ids });
      await writeFile(second.keyFile, Buffer.alloc(32, 1), { mode: 0o600 });
      const text = await first.secrets.sealed.seal(place, bytes);
      expect(await problemOf(second.secrets.sealed.seal(place, bytes))).toBe("secrets-key-differs");
      expect(await problemOf(second.secrets.sealed.open(place, text))).toBe("secrets-key-differs");
      const answer = await second.ask("PUT /shop/secrets/TOKEN", { value: "value" });
      expect(answer.json).toMatchObject({ code: "secrets-key-differs" });
      expect((await first.ask("PUT /shop/secrets/TOKEN", { value: "value" })).status).toBe(200);
      await first.ask("DELETE /shop/secrets/TOKEN");
      expect(await problemOf(second.secrets.sealed.seal(place, bytes))).toBe("secrets-key-differs");
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it("have one key when two nodes with keys of their own seal at the same time", async () => {
    await using first = await start();
    const directory = await mkdtemp(join(tmpdir(), "chaya-sealed-"));
    try {
      const opened = await first.functions.opened.openSecond();
      await using second = await startSecretsServer(opened, { directory, ids: first.ids });
      const results = await Promise.allSettled(
        [first, second, first, second].map((node) => node.secrets.sealed.seal(place, bytes)),
      );
      const kinds = results.map(({ status }) => status);
      expect(kinds.slice(2)).toEqual(kinds.slice(0, 2));
      expect(new Set(kinds)).toEqual(new Set(["fulfilled", "rejected"]));
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

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
