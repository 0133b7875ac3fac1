import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { testStores } from "../packages/server/src/testing/stores.ts";
import { type Answer, send, until } from "./calls.ts";
import { deployCode, uploadCode } from "./deploy-code.ts";
import { startTestPlatform, type TestPlatform } from "./test-platform.ts";
import { wildFunction } from "./wild-function.ts";

const callsMax = 300;
const clients = 4;
const switches = 10;

/** Says which image and which configuration it is; takes a little, so that calls are in flight at each switch. */
const versioned = (version: string) => `
require("@fnproject/fdk").handle(async () => {
  await new Promise((resolve) => setTimeout(resolve, 5));
  return "${version} " + process.env.SETTING;
});`;

interface Timed {
  readonly value: string;
  readonly startedMs: number;
  readonly endedMs: number;
}

for (const store of testStores())
  describe(`on the ${store.kind} store`, () => {
    let platform: TestPlatform;
    let directory: string;
    let images: readonly string[];
    beforeAll(async () => {
      platform = await startTestPlatform(store);
      directory = mkdtempSync(join(tmpdir(), "chaya-load-"));
      const upload = (version: string) =>
        uploadCode(platform.url, { app: "load", name: "fn", code: versioned(version) });
      images = [await upload("one"), await upload("two")];
    });
    afterAll(async () => {
      await platform[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true, force: true });
    });

    it("no call fails while its function is deployed and rolled back, and each runs on an image that was current", async () => {
      const fnId = await deployFirst("switched");
      const put = (image: string | undefined) => change(fnId, "PUT", `/v2/fns/${fnId}`, { image });
      const rollback = () => change(fnId, "POST", `/chaya/v1/functions/${fnId}/rollback`, {});
      const current = [{ value: "one", startedMs: 0, endedMs: 0 }];
      const answers = await loaded(fnId, async (index) => {
        const value = index % 2 === 0 ? "two" : "one";
        // Each image is once deployed and once rolled back to.
        const isDeploy = index % 4 < 2;
        current.push(await timed(value, () => (isDeploy ? put(images[index % 2 === 0 ? 1 : 0]) : rollback())));
      });
      expectCurrent(answers, current, (text) => JSON.parse(text).split(" ")[0]);
      expect(new Set(answers.map(({ value }) => value)).size).toBe(2);
    });

    it("no call fails while its configuration changes, and each sees one that was current", async () => {
      const fnId = await deployFirst("configured");
      const current = [{ value: "0", startedMs: 0, endedMs: 0 }];
      const answers = await loaded(fnId, async (index) => {
        const value = String(index + 1);
        const set = () => change(fnId, "PUT", `/v2/fns/${fnId}`, { config: { SETTING: value } });
        current.push(await timed(value, set));
      });
      expectCurrent(answers, current, (text) => JSON.parse(text).split(" ")[1]);
    });

    it("a call in flight finishes although its function is deleted, and the next one is not found", async () => {
      const fnId = await deployCode(platform.url, { app: "load", name: "deleted", code: wildFunction });
      const file = join(directory, "note");
      const call = send(`${platform.url}/invoke/${fnId}`, { note: { file, ms: 300 } });
      await until(() => textOf(file), "the call's note");
      expect(await send(`${platform.url}/v2/fns/${fnId}`, undefined, { method: "DELETE" })).toMatchObject({
        status: 204,
      });
      expect(await send(`${platform.url}/invoke/${fnId}`, "")).toMatchObject({ status: 404 });
      expect(await call).toMatchObject({ status: 200 });
    });

    it(`${callsMax} first calls at once are all answered by no more instances than allowed`, async () => {
      const annotations = { "chaya/max-instances": 4 };
      const fnId = await deployCode(platform.url, { app: "load", name: "herd", code: wildFunction, annotations });
      const url = `${platform.url}/invoke/${fnId}`;
      const startedMs = performance.now();
      const answers = await Promise.all(Array.from({ length: callsMax }, () => send(url, { pid: null })));
      console.log(`${callsMax} first calls at once: ${Math.round(performance.now() - startedMs)} ms`);
      expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
      const instances = new Set(answers.map(({ text }) => text));
      expect(instances.size).toBeLessThanOrEqual(4);
    });

    it("first calls of many functions at once are all answered", async () => {
      const image = await uploadCode(platform.url, { app: "load", name: "many", code: wildFunction });
      const fnIds = [];
      for (let index = 0; index < 20; index++)
        fnIds.push(await deployCode(platform.url, { app: "load", name: `many-${index}`, image, memory: 64 }));
      const answers = await Promise.all(fnIds.map((fnId) => send(`${platform.url}/invoke/${fnId}`, { echo: 1 })));
      expect(answers.map(({ status }) => status)).toEqual(fnIds.map(() => 200));
    });

    function deployFirst(name: string): Promise<string> {
      const [image] = images;
      return deployCode(platform.url, { app: "load", name, image, config: { SETTING: "0" } });
    }

    async function change(fnId: string, method: string, path: string, body: object): Promise<void> {
      const { status, text } = await send(`${platform.url}${path}`, body, { method });
      if (status !== 200) throw new Error(`${method} ${path} of ${fnId}: ${status} ${text}`);
    }

    /** Calls on and on while `makeChange` runs so many times, evenly between the calls; gives every answer. */
    async function loaded(fnId: string, makeChange: (index: number) => Promise<void>): Promise<readonly Timed[]> {
      const answers: Timed[] = [];
      let begun = 0;
      let changed = 0;
      let changing: Promise<void> = Promise.resolve();
      const client = async () => {
        while (begun < callsMax) {
          if (++begun % (callsMax / switches) === 0) {
            const index = changed++;
            changing = changing.then(() => makeChange(index));
          }
          answers.push(await timedCall(fnId));
        }
      };
      await Promise.all(Array.from({ length: clients }, client));
      await changing;
      expect([answers.length, changed]).toEqual([callsMax, switches]);
      return answers;
    }

    async function timedCall(fnId: string): Promise<Timed> {
      const startedMs = performance.now();
      const answer: Answer = await send(`${platform.url}/invoke/${fnId}`, "");
      expect(answer.status, answer.text).toBe(200);
      return { value: answer.text, startedMs, endedMs: performance.now() };
    }
  });

async function timed(value: string, makeChange: () => Promise<void>): Promise<Timed> {
  const startedMs = performance.now();
  await makeChange();
  return { value, startedMs, endedMs: performance.now() };
}

/** Each answer's value was current at some moment of its call: from when it began to be set until the next one was. */
function expectCurrent(answers: readonly Timed[], current: readonly Timed[], partOf: (text: string) => string): void {
  const outdated = answers.filter((answer) => {
    const value = partOf(answer.value);
    return !current.some((set, index) => {
      const replacedMs = current[index + 1]?.endedMs ?? Number.POSITIVE_INFINITY;
      return set.value === value && set.startedMs <= answer.endedMs && replacedMs >= answer.startedMs;
    });
  });
  expect(outdated).toEqual([]);
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
