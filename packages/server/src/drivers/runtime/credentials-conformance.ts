import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { callInstance } from "./conformance-functions.ts";
import type { Instance, InstanceCredentials, InstanceSpec, RuntimeDriver, StartResult } from "./driver.ts";

/** What the conformance suite lends to this part of it. */
export interface CredentialsUnderTest {
  /** Where the runtime has whatever it has. */
  readonly directory: () => string;
  readonly runtime: () => RuntimeDriver;
  readonly startObedient: (changes: Partial<InstanceSpec>) => Promise<Instance>;
  readonly startIn: (mode: string, changes: Partial<InstanceSpec>) => Promise<StartResult>;
  readonly printed: () => readonly string[];
}

const variables = { TOKEN: "token", KEY: "private.pem" };

function credentialsOf(who: string): InstanceCredentials {
  return { variables, files: Promise.resolve({ token: `token of ${who}`, "private.pem": `key of ${who}` }) };
}

/** What every runtime must do with the credential files of its instances. */
export function describeCredentials(under: CredentialsUnderTest): void {
  describe("credentials", () => {
    it("are files of the instance's own, which its environment names whatever its configuration says", async () => {
      const environment = { TOKEN: "/etc/passwd", KEY: "mine" };
      const instance = await under.startObedient({ credentials: credentialsOf("one"), environment });
      for (const [variable, text] of [
        ["TOKEN", "token of one"],
        ["KEY", "key of one"],
      ]) {
        const { value } = await callInstance(instance, { credential: variable });
        expect(value).toEqual({ path: expect.stringMatching(/^\//), text, isOpen: false });
      }
    });

    it("are there before anything of the function runs", async () => {
      const files = Promise.withResolvers<Awaited<InstanceCredentials["files"]>>();
      let hasStarted = false;
      const slow = under.startObedient({ credentials: { variables, files: files.promise } }).finally(() => {
        hasStarted = true;
      });
      await under.startObedient({ credentials: credentialsOf("another") });
      expect(hasStarted).toBe(false);
      files.resolve({ token: "late", "private.pem": "late" });
      expect(await callInstance(await slow, { credential: "TOKEN" })).toMatchObject({ value: { text: "late" } });
    });

    it("let nothing start when they cannot be had", async () => {
      const files = Promise.reject(new Error("no key"));
      files.catch(() => {});
      await expect(under.startIn("exit", { credentials: { variables, files } })).rejects.toThrow("no key");
      expect(under.printed()).toEqual([]);
    });

    it("are replaced while the instance runs, and whoever reads finds the old text or the new", async () => {
      const instance = await under.startObedient({ credentials: credentialsOf("one") });
      const length = 64 * 1024;
      await instance.replaceCredentials({ token: "a".repeat(length) });
      const watching = callInstance(instance, { watch: { variable: "TOKEN", last: "z" } });
      for (const letter of "bcdefghijklmnopqrstuvwxy".repeat(20)) {
        await instance.replaceCredentials({ token: letter.repeat(length) });
        await new Promise((resolve) => setImmediate(resolve));
      }
      await instance.replaceCredentials({ token: "z".repeat(length) });
      const { value: seen } = await watching;
      expect(seen.filter((text: string) => !/^[a-z]65536$/.test(text))).toEqual([]);
      expect(seen.length).toBeGreaterThan(2);
      expect(await callInstance(instance, { credential: "KEY" })).toMatchObject({ value: { text: "key of one" } });
    });

    it("are out of reach of other instances, and of their own to change, where there is isolation", async () => {
      if (under.runtime().abilities.isolation === "none") return;
      const one = await under.startObedient({ credentials: credentialsOf("one") });
      const other = await under.startObedient({ credentials: credentialsOf("other") });
      const { value } = await callInstance(one, { credential: "TOKEN" });
      const environment = { PEER: value.path };
      const third = await under.startObedient({ credentials: credentialsOf("third"), environment });
      expect(await callInstance(third, { credential: "PEER" })).toMatchObject({ value: { text: "token of third" } });
      expect(await callInstance(other, { overwrite: value.path })).toEqual({ path: "/call", value: "EROFS" });
      expect(await callInstance(one, { credential: "TOKEN" })).toMatchObject({ value: { text: "token of one" } });
    });

    it("are gone with their instance", async () => {
      const instance = await under.startObedient({ credentials: credentialsOf("the gone") });
      // So the search would find them.
      if (under.runtime().name === "process") expect(await filesWith(under.directory(), "of the gone")).toHaveLength(2);
      await instance.destroy();
      await expect.poll(() => filesWith(under.directory(), "of the gone")).toEqual([]);
      await instance.replaceCredentials({ token: "nobody reads it" });
      expect(await filesWith(under.directory(), "nobody reads it")).toEqual([]);
    });
  });
}

async function filesWith(directory: string, text: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => [])) {
    const path = join(entry.parentPath, entry.name);
    const content = entry.isFile() ? await readFile(path, "latin1").catch(() => "") : "";
    if (content.includes(text)) found.push(path);
  }
  return found;
}
