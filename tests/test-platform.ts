// The whole platform in the test's own process, on a fresh database and data directory.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readConfig, type StartOptions } from "../packages/server/src/config.ts";
import { type Overrides, startPlatform } from "../packages/server/src/platform.ts";
import type { TestStore } from "../packages/server/src/testing/stores.ts";

export interface TestPlatform extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly data: string;
}

export interface TestPlatformOptions {
  readonly flags?: StartOptions;
  readonly overrides?: Overrides;
}

/** Starts it on a free port. Disposing stops it as SIGTERM does and removes its database and data directory. */
export async function startTestPlatform(store: TestStore, options: TestPlatformOptions = {}): Promise<TestPlatform> {
  const database = await store.open();
  const data = mkdtempSync(join(tmpdir(), "chaya-platform-"));
  const location = store.kind === "embedded" ? "embedded" : database.location;
  // Functions of most tests tell what they did through files of this machine.
  const flags = { data, store: location, port: "0", "log-level": "silent", sandbox: "none", ...options.flags } as const;
  const remove = async () => {
    await database[Symbol.asyncDispose]();
    rmSync(data, { recursive: true, force: true });
  };
  try {
    const platform = await startPlatform(readConfig(flags, {}), options.overrides);
    return {
      url: platform.address,
      port: Number(new URL(platform.address).port),
      data,
      [Symbol.asyncDispose]: async () => {
        await platform.stop();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}
