import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { connections } from "../../../testing/connections.ts";
import { ManualClock } from "../../../testing/manual-clock.ts";
import { compileMigrations } from "../migrations/compile-migrations.ts";
import { mainMigrations } from "../migrations/main-migrations.ts";
import { DatabaseThread } from "./database-thread.ts";
import type { ThreadRequest } from "./thread-messages.ts";

const read: ThreadRequest = {
  kind: "read",
  statement: { sql: "select count(*) as count from facts", parameters: [], rows: undefined, expect: "any" },
};
const minuteMs = 60_000;

describe("a database thread", () => {
  let directory: string;
  let file: string;
  let clock: ManualClock;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "chaya-thread-"));
    file = join(directory, "main.db");
    clock = new ManualClock();
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const threadOf = (sleeps: boolean) => {
    const migrations = compileMigrations(mainMigrations, "embedded");
    const data = {
      role: "writer",
      file,
      migrations,
      nowMs: clock.nowMs(),
      isBackground: false,
      bytesMax: undefined,
    } as const;
    return new DatabaseThread({ clock, data, freeBytes: () => 0, sleeps });
  };

  it("that may sleep ends a minute after the last request and starts again with the next", async () => {
    const thread = threadOf(true);
    await thread.open();
    await clock.advance(minuteMs - 1);
    await thread.ask(read);
    await clock.advance(minuteMs - 1);
    expect(thread.isAwake).toBe(true);
    await clock.advance(1);
    expect(thread.isAwake).toBe(false);
    await expect.poll(() => connections(file)).toBe(0);
    const both = await Promise.all([thread.ask(read), thread.ask(read)]);
    expect(both.map(({ kind }) => kind)).toEqual(["result", "result"]);
    expect(connections(file)).toBe(1);
    await thread.close();
  });

  it("that may not sleep stays", async () => {
    const thread = threadOf(false);
    await thread.open();
    await clock.advance(60 * minuteMs);
    expect(thread.isAwake).toBe(true);
    await thread.close();
  });

  it("says what hinders it from starting again, and starts once that is gone", async () => {
    const thread = threadOf(true);
    await thread.open();
    await clock.advance(minuteMs);
    await expect.poll(() => connections(file)).toBe(0);
    rmSync(directory, { recursive: true });
    await expect(thread.ask(read)).rejects.toMatchObject({ code: "store-unavailable" });
    mkdirSync(directory);
    await expect(thread.ask(read)).resolves.toMatchObject({ kind: "result" });
    await thread.close();
    expect(connections(file)).toBe(0);
  });
});
