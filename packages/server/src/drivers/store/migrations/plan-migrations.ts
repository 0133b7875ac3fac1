import { createHash } from "node:crypto";
import type { Migration, Store } from "../driver.ts";

type Dialect = Store<unknown>["kind"];

/** A migration compiled for one store; a row of the table `migrations` once it was applied. */
export interface CompiledMigration {
  readonly name: string;
  /** 64 hexadecimal digits over the statements; white space does not count. */
  readonly digest: string;
  readonly statements: readonly string[];
}

export function compileMigrations(migrations: readonly Migration[], dialect: Dialect): readonly CompiledMigration[] {
  return migrations.map((migration) => {
    const statements = migration.statements(dialect).map((statement) => statement.replace(/\s+/g, " ").trim());
    const digest = createHash("sha256").update(statements.join(";\n")).digest("hex");
    return { name: migration.name, digest, statements };
  });
}

export type MigrationPlan =
  | { readonly kind: "fits"; readonly pending: readonly CompiledMigration[] }
  | { readonly kind: "unfit"; readonly reason: string };

/**
 * What is left to run. A database does not fit when it was written by a newer program (it knows a migration that this
 * one does not) or when an applied migration is not the one this program carries: opening it could lose data.
 */
export function planMigrations(
  migrations: readonly CompiledMigration[],
  applied: readonly Pick<CompiledMigration, "name" | "digest">[],
): MigrationPlan {
  for (const [index, done] of applied.entries()) {
    const known = migrations[index];
    if (known === undefined) return { kind: "unfit", reason: `a newer version changed it (migration ${done.name})` };
    if (known.name !== done.name || known.digest !== done.digest)
      return { kind: "unfit", reason: `its migration ${done.name} is not this version's ${known.name}` };
  }
  return { kind: "fits", pending: migrations.slice(applied.length) };
}
