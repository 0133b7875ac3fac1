import { expect, it } from "vitest";
import type { Migration } from "../driver.ts";
import { compileMigrations } from "./compile-migrations.ts";
import { mainMigrations } from "./main-migrations.ts";
import { planMigrations } from "./plan-migrations.ts";
import { telemetryMigrations } from "./telemetry-migrations.ts";

/** Of everything that was released. A line is added with each new migration and never changed. */
const released = {
  embedded: {
    "0001-foundation": "54379201ea433fd0fbb2b0c26d5b79553ccb2e4c3a7dcdadd382fff48e211ba8",
    "0002-access": "4fbe0ad47c571ebee3ed6afe8d0478f8c812ad1c74521d7f3ae7a2308bbccefe",
    "0001-calls-and-logs": "ec1f3e55c80f7f294cd8ede2a5f9e19f5a3753bb23da9dcfba180d186b2fb556",
  },
  postgres: {
    "0001-foundation": "37e3f4695050fbbe87fc1908e06e04170b259a8736a156740e8adb5cf2ef37dc",
    "0002-access": "7d606bd647215efcf581c73845768afb4208887dd57368e2775881540c48bc54",
    "0001-calls-and-logs": "422f7eb4cf12f50f9a9108adaab9d58d57a1679a4bb62db87a10b8f474a54672",
  },
};

it.each(["embedded", "postgres"] as const)("never changes a migration of %s after its release", (dialect) => {
  const compiled = [mainMigrations, telemetryMigrations].flatMap((list) => compileMigrations(list, dialect));
  expect(Object.fromEntries(compiled.map(({ name, digest }) => [name, digest]))).toEqual(released[dialect]);
});

it.each([
  ["main", mainMigrations],
  ["telemetry", telemetryMigrations],
])("numbers the %s migrations in order", (_, migrations) => {
  for (const [index, { name }] of migrations.entries())
    expect(name).toMatch(new RegExp(`^${String(index + 1).padStart(4, "0")}-[a-z-]+$`));
});

const first: Migration = { name: "0001-first", statements: () => ["create table a (b text)"] };
const second: Migration = { name: "0002-second", statements: (dialect) => [`alter table a add c ${dialect}`] };
const both = compileMigrations([first, second], "embedded");

it("runs what was not applied yet", () => {
  expect(planMigrations(both, [])).toEqual({ kind: "fits", pending: both });
  expect(planMigrations(both, both.slice(0, 1))).toEqual({ kind: "fits", pending: both.slice(1) });
  expect(planMigrations(both, both)).toEqual({ kind: "fits", pending: [] });
});

it("does not care how the statements are laid out", () => {
  const spaced: Migration = { name: "0001-first", statements: () => ["create table a\n  (b text)"] };
  expect(compileMigrations([spaced], "embedded")[0]?.digest).toBe(both[0]?.digest);
});

it("does not fit a database that a newer version changed", () => {
  const reason = "a newer version changed it (migration 0002-second)";
  expect(planMigrations(both.slice(0, 1), both)).toEqual({ kind: "unfit", reason });
});

it("does not fit a database whose migrations are others", () => {
  const edited = compileMigrations([{ ...first, statements: () => ["create table a (b blob)"] }], "embedded");
  const reason = "its migration 0001-first is not this version's 0001-first";
  expect(planMigrations(both, edited)).toEqual({ kind: "unfit", reason });
});
