import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CallView } from "@chaya/contract/chaya";
import { describe, expect, it } from "vitest";
import { readConfig } from "../packages/server/src/config.ts";
import { type Overrides, type Platform, startPlatform } from "../packages/server/src/platform.ts";
import { testStores } from "../packages/server/src/testing/stores.ts";
import { endedCall, read, send, sendDetached, until } from "./calls.ts";
import { delegating } from "./delegating.ts";
import { deployCode } from "./deploy-code.ts";
import { wildFunction } from "./wild-function.ts";

/** As if the server had been killed before it stored how calls ended. */
const forgetful: Overrides = {
  wrapTelemetry: (telemetry) =>
    delegating(telemetry, {
      observeCall: (call) => {
        if (call.finishedAtMs === undefined) telemetry.observeCall(call);
      },
    }),
};

describe.each(testStores())("a server on the $kind store that starts after a crash", (store) => {
  it("records the ends of detached calls that the crash forgot, and leaves those that wait alone", async () => {
    await using database = await store.open();
    const directory = mkdtempSync(join(tmpdir(), "chaya-forgotten-"));
    const start = (overrides: Overrides): Promise<Platform> => {
      const location = store.kind === "embedded" ? "embedded" : database.location;
      const flags = { data: join(directory, "data"), store: location, port: "0", "log-level": "silent" } as const;
      return startPlatform(readConfig(flags, {}), overrides);
    };
    try {
      const first = await start(forgetful);
      const url = first.address;
      const fnId = await deployCode(url, { app: "forgotten", name: "fn", code: wildFunction });
      const done = await sendDetached(url, fnId, { echo: 1 });
      const dead = await sendDetached(url, fnId, { status: 502 });
      const retries = { "chaya/retries": 5 };
      const repeated = await deployCode(url, {
        app: "forgotten",
        name: "again",
        code: wildFunction,
        annotations: retries,
      });
      const waiting = await sendDetached(url, repeated, { status: 502 });
      await until(async () => {
        const { status } = await send(`${url}/chaya/v1/dead-letters/${dead}`, undefined, { method: "GET" });
        return status === 200 || undefined;
      }, "the dead letter");
      const records = await Promise.all(
        [done, dead, waiting].map((id) => read<CallView>(`${url}/chaya/v1/calls/${id}`)),
      );
      expect(records.map(({ status }) => status)).toEqual(["queued", "queued", "queued"]);
      await first.stop();

      const second = await start(forgetful);
      const again = second.address;
      expect(await endedCall(again, done)).toMatchObject({ status: "succeeded", attempt: 1 });
      const problem = { code: "function-failed", sentence: "The function threw an error." };
      expect(await endedCall(again, dead)).toMatchObject({ status: "failed", problem });
      expect(await read<CallView>(`${again}/chaya/v1/calls/${waiting}`)).toMatchObject({ status: "queued" });
      await second.stop();
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
