import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { limits } from "@chaya/contract";
import type { CallView, DeadLetterView } from "@chaya/contract/chaya";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemRandom } from "../packages/server/src/kernel/random.ts";
import { testStores } from "../packages/server/src/testing/stores.ts";
import { endedCall, read, send, sendDetached, until } from "./calls.ts";
import { type Code, deployCode, uploadCode } from "./deploy-code.ts";
import { startTestPlatform, type TestPlatform } from "./test-platform.ts";

/** Writes down each run: call id, attempt, bytes and digest of its body. Fails as often as it is told. */
const noting = `
const { createHash } = require("node:crypto");
const { appendFileSync } = require("node:fs");
require("@fnproject/fdk").handle(
  async (body, context) => {
    const sha256 = createHash("sha256").update(body).digest("hex");
    const attempt = context.getHeader("Chaya-Attempt");
    appendFileSync(process.env.NOTES, [context.callID, attempt, body.length, sha256].join(" ") + "\\n");
    await new Promise((resolve) => setTimeout(resolve, Number(process.env.TAKES_MS ?? 0)));
    if (Number(attempt) <= Number(process.env.FAILURES ?? 0)) throw new Error("not yet");
    return {};
  },
  { inputMode: "buffer" },
);`;

interface Note {
  readonly id: string;
  readonly attempt: number;
  readonly bytes: number;
  readonly sha256: string;
}

for (const store of testStores())
  describe(`a detached call on the ${store.kind} store`, () => {
    let platform: TestPlatform;
    let image: string;
    let directory: string;
    beforeAll(async () => {
      // With luck: repeats come after the shortest delay.
      const random = { ...systemRandom(), number: () => 0.999 };
      platform = await startTestPlatform(store, { overrides: { random } });
      image = await uploadCode(platform.url, { app: "later", name: "fn", code: noting });
      directory = mkdtempSync(join(tmpdir(), "chaya-detached-"));
    });
    afterAll(async () => {
      await platform[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true, force: true });
    });

    it("is repeated under its id with rising attempts until it succeeds", async () => {
      const fnId = await deploy("mending", { config: { FAILURES: "2" }, annotations: { "chaya/retries": 3 } });
      const id = await sendDetached(platform.url, fnId, "body");
      expect(await succeeded(id)).toMatchObject({ attempt: 3, source: "detached", requestBytes: 4 });
      expect(notes("mending").map(({ id, attempt }) => [id, attempt])).toEqual(
        [1, 2, 3].map((attempt) => [id, attempt]),
      );
    });

    it("becomes a dead letter when its attempts are used up, and runs again when it is redriven", async () => {
      const fnId = await deploy("dying", { config: { FAILURES: "3" }, annotations: { "chaya/retries": 1 } });
      const id = await sendDetached(platform.url, fnId, "body");
      const letter = await deadLetter(id);
      expect(letter).toMatchObject({
        ...{ id, kind: "call", application: "later", function: "dying", attempts: 2, bodyBytes: 4 },
        problem: { code: "function-failed" },
      });
      expect(await endedCall(platform.url, id)).toMatchObject({ status: "failed", attempt: 2 });
      expect((await redrive(id)).status).toBe(204);
      expect(await succeeded(id)).toMatchObject({ attempt: 4 });
      expect(notes("dying").map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4]);
      expect((await redrive(id)).status).toBe(404);
    });

    it("runs once however often its key is sent at the same time", async () => {
      const fnId = await deploy("keyed", {});
      const ids = await Promise.all(
        Array.from({ length: 20 }, () => sendDetached(platform.url, fnId, "same body", "the-key")),
      );
      expect(ids[0]).toMatch(/^[0-9A-Z]{26}$/);
      expect(new Set(ids).size).toBe(1);
      await succeeded(ids[0] ?? "");
      expect(await sendDetached(platform.url, fnId, "same body", "the-key")).toBe(ids[0]);
      const headers = { "Fn-Invoke-Type": "detached", "Idempotency-Key": "the-key" };
      const other = await send(`${platform.url}/invoke/${fnId}`, "another body", { headers });
      expect(other.status).toBe(409);
      expect(JSON.parse(other.text)).toMatchObject({ code: "idempotency-key-reused" });
      // Whatever was sent before has run by now: calls of a function are claimed in the order they came.
      await succeeded(await sendDetached(platform.url, fnId, "last"));
      expect(notes("keyed")).toHaveLength(2);
    });

    it("has a timeout of its own, shorter or longer than that of the others", async () => {
      const annotations = { "chaya/detached-timeout": 1 };
      const shorter = await deploy("shorter", { timeout: 30, config: { TAKES_MS: "20000" }, annotations });
      const longer = await deploy("longer", {
        ...{ timeout: 1, config: { TAKES_MS: "1500" }, annotations: { "chaya/detached-timeout": 20 } },
      });
      const ids = [
        await sendDetached(platform.url, shorter, ""),
        await sendDetached(platform.url, longer, ""),
      ] as const;
      const problem = { code: "function-timed-out", sentence: expect.stringContaining("chaya/detached-timeout") };
      expect(await deadLetter(ids[0])).toMatchObject({ problem });
      expect(await endedCall(platform.url, ids[0])).toMatchObject({ status: "timed-out", problem });
      expect(await succeeded(ids[1])).toMatchObject({ attempt: 1 });
    });

    it("brings every byte of a body that is too large for its row", async () => {
      const fnId = await deploy("large", {});
      for (const bytes of [limits.workPayloadInlineBytesMax, limits.workPayloadInlineBytesMax + 1, 3_000_000]) {
        const body = new Uint8Array(bytes).map((_, index) => index % 253);
        const id = await sendDetached(platform.url, fnId, body);
        await succeeded(id);
        const digest = await crypto.subtle.digest("SHA-256", body);
        expect(notes("large").find((note) => note.id === id)).toMatchObject({
          bytes,
          sha256: Buffer.from(digest).toString("hex"),
        });
      }
      const tooLarge = new Uint8Array(limits.detachedBodyBytesMax + 1);
      const headers = { "Fn-Invoke-Type": "detached" };
      expect(await send(`${platform.url}/invoke/${fnId}`, tooLarge, { headers })).toMatchObject({ status: 413 });
    });

    it("dies with a reason when its function is deleted while it waits, and the one that runs finishes", async () => {
      const annotations = { "chaya/max-instances": 1 };
      const fnId = await deploy("deleted", { config: { TAKES_MS: "500" }, annotations });
      const running = await sendDetached(platform.url, fnId, "first");
      await until(() => notes("deleted")[0], "the first call");
      const waiting = await sendDetached(platform.url, fnId, "second");
      expect(await send(`${platform.url}/v2/fns/${fnId}`, undefined, { method: "DELETE" })).toMatchObject({
        status: 204,
      });
      expect(await succeeded(running)).toMatchObject({ attempt: 1 });
      expect(await deadLetter(waiting)).toMatchObject({ problem: { code: "function-not-found" } });
      expect(notes("deleted")).toHaveLength(1);
      expect((await redrive(waiting)).status).toBe(404);
      expect(await sendDetached(platform.url, fnId, "third")).toBe("");
    });

    function deploy(name: string, options: Partial<Code>): Promise<string> {
      const config = { NOTES: join(directory, name), ...options.config };
      return deployCode(platform.url, { app: "later", image, timeout: 30, ...options, name, config });
    }

    function notes(name: string): readonly Note[] {
      return linesOf(join(directory, name)).map((line) => {
        const [id = "", attempt, bytes, sha256 = ""] = line.split(" ");
        return { id, attempt: Number(attempt), bytes: Number(bytes), sha256 };
      });
    }

    /** A repeated call ends several times; its record shows the newest end. */
    async function succeeded(id: string): Promise<CallView> {
      return until(async () => {
        const record = await read<CallView>(`${platform.url}/chaya/v1/calls/${id}`);
        return record.status === "succeeded" ? record : undefined;
      }, `the success of call ${id}`);
    }

    async function deadLetter(id: string): Promise<DeadLetterView> {
      return until(async () => {
        const answer = await send(`${platform.url}/chaya/v1/dead-letters/${id}`, undefined, { method: "GET" });
        return answer.status === 200 ? JSON.parse(answer.text) : undefined;
      }, `the dead letter of call ${id}`);
    }

    function redrive(id: string) {
      return send(`${platform.url}/chaya/v1/dead-letters/${id}/redrive`, undefined);
    }
  });

function linesOf(path: string): readonly string[] {
  try {
    return readFileSync(path, "utf8").split("\n").filter(Boolean);
  } catch {
    return [];
  }
}
